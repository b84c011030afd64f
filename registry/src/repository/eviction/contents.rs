//! What a repository of a mirror has at some moment, and when each of it was last used.

use std::collections::HashMap;
use std::future::ready;
use std::time::SystemTime;

use berth_oci::{Digest, Manifest, Tag};
use berth_storage::{Key, ObjectMeta};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::repository::{Error, Repository, Result, layout};

/// How many objects are read at once.
pub(super) const CONCURRENCY: usize = 16;

/// A repository, as it was when it was looked at.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) repository: Repository,
    pub(super) manifests: HashMap<Digest, Node>,
    pub(super) tags: Vec<(Tag, Digest)>,
    /// The blobs that are linked, and since when.
    pub(super) layers: HashMap<Digest, SystemTime>,
}

/// A manifest, and what it has to do with others.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) children: Vec<Digest>,
    pub(super) blobs: Vec<Digest>,
    /// The manifest that it is about, as it says itself.
    pub(super) subject: Option<Digest>,
    /// The one that it is about by its tag, such as `sha256-….sig`.
    pub(super) tagged_for: Option<Digest>,
    /// When it, or a blob of it, was last pulled or stored.
    pub(super) last_used: SystemTime,
}

impl Contents {
    /// Looks at a repository.
    pub(super) async fn of(repository: Repository) -> Result<Self> {
        Self::read(repository, &HashMap::new()).await
    }

    /// Looks at it once more; only manifests that have come meanwhile are read.
    pub(super) async fn again(&self) -> Result<Self> {
        Self::read(self.repository.clone(), &self.manifests).await
    }

    async fn read(repository: Repository, known: &HashMap<Digest, Node>) -> Result<Self> {
        let layers = repository.linked_since(&layout::layers(&repository.name)).await?;
        let revisions = repository.linked_since(&layout::revisions(&repository.name)).await?;
        let nodes = stream::iter(revisions).map(|(digest, since)| {
            let (repository, known) = (&repository, known.get(&digest).cloned());
            async move {
                let node = if let Some(node) = known { node } else { repository.node(&digest).await? };
                Ok::<_, Error>((digest, Node { last_used: since, ..node }))
            }
        });
        let mut manifests: HashMap<_, _> = nodes.buffer_unordered(CONCURRENCY).try_collect().await?;
        let tags = repository.tag_targets().await?;
        repository.note_uses(&mut manifests, &tags).await?;
        for node in manifests.values_mut() {
            let stored = node.blobs.iter().filter_map(|blob| layers.get(blob)).copied();
            node.last_used = stored.fold(node.last_used, SystemTime::max);
        }
        Ok(Self { repository, manifests, tags, layers })
    }
}

impl Repository {
    /// The digests that are linked in a folder, and since when.
    async fn linked_since(&self, folder: &Key) -> Result<HashMap<Digest, SystemTime>> {
        let links = self.state.store.list(folder, None).map_err(Error::from);
        let since = |link: ObjectMeta| Some((layout::digest_of_link(&link.key, folder)?, link.modified));
        links.try_filter_map(|link| ready(Ok(since(link)))).try_collect().await
    }

    async fn node(&self, digest: &Digest) -> Result<Node> {
        let content = self.state.read(&layout::blob(digest)).await?;
        let manifest = content.and_then(|(_, bytes)| Manifest::parse(&bytes, None).ok());
        Ok(Node {
            children: manifest.iter().flat_map(Manifest::manifests).map(|child| child.digest).collect(),
            blobs: manifest.iter().flat_map(Manifest::references).collect(),
            subject: manifest.as_ref().and_then(Manifest::subject).map(|subject| subject.digest),
            tagged_for: None,
            last_used: SystemTime::UNIX_EPOCH,
        })
    }

    async fn tag_targets(&self) -> Result<Vec<(Tag, Digest)>> {
        let tags: Vec<Tag> = self.tags().after(None).try_collect().await?;
        let targets = stream::iter(tags).map(|tag| async move {
            let target = self.tags().resolve(&tag).await?;
            Ok::<_, Error>(target.map(|digest| (tag, digest)))
        });
        targets.buffered(CONCURRENCY).try_filter_map(|target| ready(Ok(target))).try_collect().await
    }

    /// Adds what is known by tags, and by pulls: those of this process, and those that the storage remembers.
    async fn note_uses(&self, manifests: &mut HashMap<Digest, Node>, tags: &[(Tag, Digest)]) -> Result<()> {
        let (by_digest, by_tag) = (layout::pulled_manifests(&self.name), layout::pulls(&self.name));
        let pulls: Vec<ObjectMeta> = self.state.store.list(&by_digest, None).try_collect().await?;
        for pull in pulls {
            let digest = layout::digest_of_pulled_manifest(&pull.key, &self.name);
            if let Some(node) = digest.and_then(|digest| manifests.get_mut(&digest)) {
                node.note_use(pull.modified);
            }
        }
        let pulls: Vec<ObjectMeta> = self.state.store.list(&by_tag, None).try_collect().await?;
        let pulls = pulls.iter().filter_map(|pull| Some((pull.key.strip_prefix(&by_tag)?, pull.modified)));
        let pulls: HashMap<_, _> = pulls.collect();
        for (tag, digest) in tags {
            let Some(node) = manifests.get_mut(digest) else { continue };
            node.tagged_for = node.tagged_for.or_else(|| subject_by(tag));
            let own = self.state.pulls.last(&self.name, &tag.clone().into());
            [own, pulls.get(tag.as_str()).copied()]
                .into_iter()
                .flatten()
                .for_each(|pull| node.note_use(pull));
        }
        for (digest, node) in manifests {
            self.state
                .pulls
                .last(&self.name, &(*digest).into())
                .into_iter()
                .for_each(|pull| node.note_use(pull));
        }
        Ok(())
    }
}

impl Node {
    fn note_use(&mut self, time: SystemTime) {
        self.last_used = self.last_used.max(time);
    }
}

/// The image that a tag names by its digest: so do the fallback tags of referrers (`sha256-…`) and those of cosign
/// (`sha256-….sig`).
fn subject_by(tag: &Tag) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let hex = rest.split_once('.').map_or(rest, |(hex, _)| hex);
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_may_name_the_image_that_it_is_about() {
        let hex = "a".repeat(64);
        let subject = |tag: &str| subject_by(&tag.parse().unwrap()).map(|digest| digest.to_string());
        for tag in [format!("sha256-{hex}"), format!("sha256-{hex}.sig")] {
            assert_eq!(subject(&tag), Some(format!("sha256:{hex}")), "{tag}");
        }
        for tag in ["latest", "sha256-abc", "3.22-alpine"] {
            assert_eq!(subject(tag), None, "{tag}");
        }
    }
}
