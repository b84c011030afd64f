//! What mirrors part with, because they have a limit or because nobody pulls it any more.
//!
//! An image goes as a whole: an index with its images and with what refers to them, when it was pulled longer ago than all
//! others. What another image needs stays. Only links go; the content is left to the garbage collection, which
//! knows what any repository still needs.
//!
//! An image was last used when its manifest, or one of its parts, was pulled or stored.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_oci::{Digest, Manifest, RepositoryName, Tag};
use futures::TryStreamExt as _;

use super::{Registry, Repository, Result, catalog, layout};

/// What a mirror may keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowance {
    /// How many bytes; `None` is without a bound.
    pub bytes: Option<u64>,
    /// For how long after the last pull; `None` is for ever.
    pub idle: Option<Duration>,
}

/// What became of a mirror.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evicted {
    /// How many images went.
    pub images: u64,
    /// How many bytes nobody in the mirror needs any more.
    pub bytes: u64,
    /// How many bytes are left.
    pub left: u64,
}

/// Of a limit that is exceeded, so many hundredths are used afterwards, so that the next image does not exceed it again.
const AFTERWARDS: u64 = 90;

/// An image with all that it needs, or a blob that no manifest names.
#[derive(Debug)]
struct Unit {
    repository: usize,
    manifests: Vec<Digest>,
    blobs: Vec<Digest>,
    last_used: SystemTime,
}

/// A manifest of a repository.
#[derive(Debug)]
struct Node {
    children: Vec<Digest>,
    blobs: Vec<Digest>,
    subject: Option<Digest>,
    last_used: SystemTime,
}

/// What all repositories of a mirror have.
#[derive(Debug, Default)]
struct Holdings {
    repositories: Vec<Repository>,
    tags: Vec<Vec<(Tag, Digest)>>,
    units: Vec<Unit>,
    sizes: HashMap<Digest, u64>,
}

impl Registry {
    /// Takes out of the repositories that belong to a mirror what it may not keep.
    pub async fn evict(
        &self,
        belongs: impl Fn(&RepositoryName) -> bool,
        allowance: Allowance,
    ) -> Result<Evicted> {
        let mut holdings = Holdings::default();
        let mut repositories = pin!(catalog::repositories(&self.state, None));
        while let Some(found) = repositories.try_next().await? {
            if belongs(&found.name) {
                holdings.add(self.repository(found.name)).await?;
            }
        }
        let now = self.state.clock.now();
        let (outgoing, evicted) = holdings.choose(allowance, now);
        if !self.rules().read_only {
            holdings.part_with(&outgoing).await?;
        }
        Ok(evicted)
    }
}

impl Holdings {
    async fn add(&mut self, repository: Repository) -> Result<()> {
        let place = self.repositories.len();
        let (nodes, tags) = (repository.nodes().await?, repository.tag_targets().await?);
        let mut loose = repository.layers().await?;
        for digest in nodes.keys().chain(loose.keys()) {
            if !self.sizes.contains_key(digest) {
                let size = repository.state.head(&layout::blob(digest)).await?.map_or(0, |meta| meta.size);
                self.sizes.insert(*digest, size);
            }
        }
        for unit in units(place, &nodes) {
            for blob in &unit.blobs {
                loose.remove(blob);
            }
            self.units.push(unit);
        }
        let unnamed = loose.into_iter().map(|(digest, last_used)| Unit {
            repository: place,
            manifests: Vec::new(),
            blobs: vec![digest],
            last_used,
        });
        self.units.extend(unnamed);
        self.repositories.push(repository);
        self.tags.push(tags);
        Ok(())
    }

    /// Which units go: those that were idle for too long, and then those that were used longest ago, until there is room.
    fn choose(&mut self, allowance: Allowance, now: SystemTime) -> (HashSet<usize>, Evicted) {
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(|unit| self.units[*unit].last_used);
        let mut users: HashMap<Digest, usize> = HashMap::new();
        for digest in self.units.iter().flat_map(Unit::digests) {
            *users.entry(*digest).or_default() += 1;
        }
        let size_of = |digest: &Digest| self.sizes.get(digest).copied().unwrap_or_default();
        let mut left: u64 = users.keys().map(size_of).sum();
        let is_over = |bytes: &u64| left > *bytes;
        let target = allowance.bytes.filter(is_over).map(|bytes| bytes / 100 * AFTERWARDS);
        let (mut outgoing, mut evicted) = (HashSet::new(), Evicted::default());
        for place in order {
            let unit = &self.units[place];
            let age = now.duration_since(unit.last_used).unwrap_or_default();
            let is_idle = allowance.idle.is_some_and(|idle| age >= idle);
            if !is_idle && target.is_none_or(|target| left <= target) {
                break;
            }
            for digest in unit.digests() {
                let Some(others) = users.get_mut(digest) else { continue };
                *others -= 1;
                if *others == 0 {
                    left -= size_of(digest);
                    evicted.bytes += size_of(digest);
                }
            }
            evicted.images += u64::from(!unit.manifests.is_empty());
            outgoing.insert(place);
        }
        evicted.left = left;
        (outgoing, evicted)
    }

    async fn part_with(&self, outgoing: &HashSet<usize>) -> Result<()> {
        for (place, repository) in self.repositories.iter().enumerate() {
            let (going, staying): (Vec<_>, Vec<_>) = (0..self.units.len())
                .filter(|unit| self.units[*unit].repository == place)
                .partition(|unit| outgoing.contains(unit));
            let needed: HashSet<&Digest> =
                staying.iter().flat_map(|unit| self.units[*unit].digests()).collect();
            for unit in going.iter().map(|unit| &self.units[*unit]) {
                let unneeded = |digests: &[Digest]| -> Vec<Digest> {
                    digests.iter().filter(|digest| !needed.contains(digest)).copied().collect()
                };
                repository
                    .forget(&unneeded(&unit.manifests), &unneeded(&unit.blobs), &self.tags[place])
                    .await?;
            }
        }
        Ok(())
    }
}

impl Unit {
    fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.manifests.iter().chain(&self.blobs)
    }
}

/// The images of a repository: each manifest that no other lists or is about, with all that it leads to and what refers to that.
fn units(repository: usize, nodes: &HashMap<Digest, Node>) -> Vec<Unit> {
    let mut referrers: HashMap<Digest, Vec<Digest>> = HashMap::new();
    let mut inner: HashSet<Digest> = HashSet::new();
    for (digest, node) in nodes {
        inner.extend(&node.children);
        if let Some(subject) = node.subject.filter(|subject| nodes.contains_key(subject)) {
            referrers.entry(subject).or_default().push(*digest);
            inner.insert(*digest);
        }
    }
    let roots = nodes.keys().filter(|digest| !inner.contains(*digest));
    let unit = |root: &Digest| {
        let (mut seen, mut ahead) = (HashSet::new(), vec![*root]);
        let mut unit =
            Unit { repository, manifests: Vec::new(), blobs: Vec::new(), last_used: SystemTime::UNIX_EPOCH };
        while let Some(digest) = ahead.pop() {
            let Some(node) = nodes.get(&digest).filter(|_| seen.insert(digest)) else { continue };
            unit.manifests.push(digest);
            unit.blobs.extend(node.blobs.iter().filter(|blob| seen.insert(**blob)));
            unit.last_used = unit.last_used.max(node.last_used);
            ahead.extend(node.children.iter().chain(referrers.get(&digest).into_iter().flatten()));
        }
        unit
    };
    roots.map(unit).collect()
}

impl Repository {
    async fn nodes(&self) -> Result<HashMap<Digest, Node>> {
        let folder = layout::revisions(&self.name);
        let links: Vec<_> = self.state.store.list(&folder, None).try_collect().await?;
        let mut nodes = HashMap::new();
        for link in links {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            let pulled = self.state.head(&layout::pulled_manifest(&self.name, &digest)).await?;
            let last_used = pulled.map_or(link.modified, |pulled| pulled.modified.max(link.modified));
            let content = self.state.read(&layout::blob(&digest)).await?;
            let manifest = content.and_then(|(_, bytes)| Manifest::parse(&bytes, None).ok());
            let children = manifest.iter().flat_map(Manifest::manifests).map(|child| child.digest).collect();
            let subject = manifest.as_ref().and_then(Manifest::subject).map(|subject| subject.digest);
            let blobs = manifest.iter().flat_map(Manifest::references).collect();
            nodes.insert(digest, Node { children, blobs, subject, last_used });
        }
        for (tag, digest) in self.tag_targets().await? {
            let pulled = self.state.head(&layout::pulled(&self.name, &tag)).await?;
            if let (Some(node), Some(pulled)) = (nodes.get_mut(&digest), pulled) {
                node.last_used = node.last_used.max(pulled.modified);
            }
        }
        Ok(nodes)
    }

    /// The blobs that are linked, and since when.
    async fn layers(&self) -> Result<HashMap<Digest, SystemTime>> {
        let folder = layout::layers(&self.name);
        let links: Vec<_> = self.state.store.list(&folder, None).try_collect().await?;
        let digest = |key| layout::digest_of_link(key, &folder);
        Ok(links.iter().filter_map(|link| Some((digest(&link.key)?, link.modified))).collect())
    }

    async fn tag_targets(&self) -> Result<Vec<(Tag, Digest)>> {
        let tags: Vec<Tag> = self.tags().after(None).try_collect().await?;
        let mut targets = Vec::new();
        for tag in tags {
            if let Some(digest) = self.tags().resolve(&tag).await? {
                targets.push((tag, digest));
            }
        }
        Ok(targets)
    }

    /// Takes manifests and blobs out, names first. They come back from upstream when somebody asks for them.
    async fn forget(&self, manifests: &[Digest], blobs: &[Digest], tags: &[(Tag, Digest)]) -> Result<()> {
        let (state, name) = (Arc::clone(&self.state), &self.name);
        for (tag, _) in tags.iter().filter(|(_, digest)| manifests.contains(digest)) {
            state.delete_below(&layout::tag(name, tag)).await?;
            state.store.delete(&layout::pulled(name, tag)).await?;
        }
        for digest in manifests {
            state.delete_below(&layout::referrers(name, digest)).await?;
            state.store.delete(&layout::revision(name, digest)).await?;
            state.store.delete(&layout::pulled_manifest(name, digest)).await?;
            state.remembered.forget(name, digest);
            self.manifests().forget_media_type(digest).await?;
        }
        for digest in blobs {
            state.store.delete(&layout::layer(name, digest)).await?;
        }
        Ok(())
    }
}
