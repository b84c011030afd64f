//! What mirrors part with, because they have a limit or because nobody pulls it any more.
//!
//! An image goes as a whole: an index with its images and with what refers to them, when it was pulled longer ago than all
//! others. What another image needs stays. Only links go; the content is left to the garbage collection, which
//! knows what any repository still needs.
//!
//! An image was last used when its manifest, or one of its parts, was pulled or stored.
//!
//! Clients pull meanwhile. So each repository is looked at once more before anything goes, while this process lets no
//! manifest in: what was used since the first look stays, and what images need that have come since. Another process
//! may let one in at that very moment. That image then lacks what went as if it had never come, and a pull fetches it.

mod contents;
mod unit;

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use berth_oci::{Digest, RepositoryName, Tag};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use self::contents::{CONCURRENCY, Contents, Node};
use self::unit::{Unit, units};
use super::{Error, Registry, Repository, Result, catalog, layout};

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

/// How many images go before the repository is looked at again; so long nobody pushes a manifest into it.
const BATCH: usize = 16;

/// What all repositories of a mirror have.
#[derive(Debug, Default)]
struct Holdings {
    repositories: Vec<Contents>,
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
        let gone = if self.rules().read_only {
            HashSet::new()
        } else {
            let outgoing = holdings.choose(allowance, self.state.clock.now());
            holdings.part_with(&outgoing).await?
        };
        Ok(holdings.sum_up(&gone))
    }
}

impl Holdings {
    async fn add(&mut self, repository: Repository) -> Result<()> {
        let contents = Contents::of(repository).await?;
        let state = &contents.repository.state;
        let digests = contents.manifests.keys().chain(contents.layers.keys());
        let unknown: HashSet<Digest> =
            digests.filter(|digest| !self.sizes.contains_key(*digest)).copied().collect();
        let sizes = stream::iter(unknown).map(|digest| async move {
            let content = state.head(&layout::blob(&digest)).await?;
            Ok::<_, Error>((digest, content.map_or(0, |meta| meta.size)))
        });
        let sizes: Vec<_> = sizes.buffer_unordered(CONCURRENCY).try_collect().await?;
        self.sizes.extend(sizes);
        self.units.extend(units(self.repositories.len(), &contents));
        self.repositories.push(contents);
        Ok(())
    }

    /// Which units should go: those that were idle for too long, and then those that were used longest ago, until there is
    /// room.
    fn choose(&self, allowance: Allowance, now: SystemTime) -> HashSet<usize> {
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by_key(|unit| self.units[*unit].last_used);
        let mut users: HashMap<&Digest, usize> = HashMap::new();
        for digest in self.units.iter().flat_map(Unit::digests) {
            *users.entry(digest).or_default() += 1;
        }
        let mut left: u64 = users.keys().map(|digest| self.size_of(digest)).sum();
        let target = allowance.bytes.filter(|bytes| left > *bytes).map(|bytes| bytes / 100 * AFTERWARDS);
        let mut outgoing = HashSet::new();
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
                    left -= self.size_of(digest);
                }
            }
            outgoing.insert(place);
        }
        outgoing
    }

    fn size_of(&self, digest: &Digest) -> u64 {
        self.sizes.get(digest).copied().unwrap_or_default()
    }

    /// Takes these units out, except those that are in use again. Returns which are gone.
    async fn part_with(&self, outgoing: &HashSet<usize>) -> Result<HashSet<usize>> {
        let mut gone = HashSet::new();
        for (place, before) in self.repositories.iter().enumerate() {
            // They stand in the order of their repositories.
            let begin = self.units.partition_point(|unit| unit.repository < place);
            let end = self.units.partition_point(|unit| unit.repository <= place);
            let (mut going, mut staying): (Vec<_>, Vec<_>) =
                (begin..end).partition(|unit| outgoing.contains(unit));
            while !going.is_empty() {
                let batch = going.split_off(going.len().saturating_sub(BATCH));
                let later = going.iter().chain(&staying).copied().collect();
                let (went, stayed) = self.part_with_batch(before, batch, later).await?;
                gone.extend(went);
                staying.extend(stayed);
            }
        }
        Ok(gone)
    }

    /// Takes units of one repository out, and keeps what the `others` need. Returns those that are gone, and those that are in
    /// use again.
    async fn part_with_batch(
        &self,
        before: &Contents,
        batch: Vec<usize>,
        others: Vec<usize>,
    ) -> Result<(Vec<usize>, Vec<usize>)> {
        let repository = &before.repository;
        let _nobody_publishes = repository.state.liveness.close(&repository.name).await;
        let now = before.again().await?;
        let (stay, go): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|unit| self.units[*unit].was_used(before, &now));
        let has_come = |digest: &Digest| !before.manifests.contains_key(digest);
        let new = now.manifests.iter().filter(|(digest, _)| has_come(digest));
        let of_units = others.iter().chain(&stay).flat_map(|unit| self.units[*unit].digests());
        let needed: HashSet<&Digest> =
            of_units.chain(new.flat_map(|(_, node)| node.children.iter().chain(&node.blobs))).collect();
        for unit in go.iter().map(|unit| &self.units[*unit]) {
            let unneeded = |digests: &[Digest]| -> Vec<Digest> {
                digests.iter().filter(|digest| !needed.contains(digest)).copied().collect()
            };
            repository.forget(&now, &unneeded(&unit.manifests), &unneeded(&unit.blobs)).await?;
        }
        Ok((go, stay))
    }

    /// What has become of it all when these units are gone.
    fn sum_up(&self, gone: &HashSet<usize>) -> Evicted {
        let (mut all, mut left, mut images) = (HashSet::new(), HashSet::new(), 0);
        for (place, unit) in self.units.iter().enumerate() {
            all.extend(unit.digests());
            if gone.contains(&place) {
                images += u64::from(!unit.manifests.is_empty());
            } else {
                left.extend(unit.digests());
            }
        }
        let bytes = |digests: HashSet<&Digest>| -> u64 { digests.iter().map(|it| self.size_of(it)).sum() };
        let (all, left) = (bytes(all), bytes(left));
        Evicted { images, bytes: all - left, left }
    }
}

impl Repository {
    /// Takes manifests and blobs out, names first. They come back from upstream when somebody asks for them.
    async fn forget(&self, now: &Contents, manifests: &[Digest], blobs: &[Digest]) -> Result<()> {
        let (state, name) = (&self.state, &self.name);
        let leads_there = |(_, digest): &&(Tag, Digest)| manifests.contains(digest);
        for (tag, digest) in now.tags.iter().filter(leads_there) {
            self.tags().let_go(tag, digest).await?;
        }
        for digest in manifests {
            // What refers to it and stays is still about it, if it comes back.
            if let Some(Node { subject: Some(subject), .. }) = now.manifests.get(digest) {
                self.referrers().remove(subject, digest).await?;
            }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use berth_oci::{Algorithm, MediaType, UploadId};
    use berth_storage::Filesystem;
    use tempfile::TempDir;

    use super::*;
    use crate::repository::{Mirrored, Rules, digest_of};

    async fn push_blob(repository: &Repository, content: &'static str) -> Digest {
        let digest = digest_of(Algorithm::Sha256, content.as_bytes());
        let body = stream::iter([Ok(content.into())]).boxed();
        repository.uploads().push_whole_as(UploadId::random(), &digest, body).await.unwrap();
        digest
    }

    async fn push_image(repository: &Repository, tag: &str, layer: &Digest) -> Digest {
        let kind = MediaType::OCI_IMAGE;
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{kind}","annotations":{{"tag":"{tag}"}},"config":{{"mediaType":"a/b","digest":"{layer}","size":1}},"layers":[{{"mediaType":"a/b","digest":"{layer}","size":1}}]}}"#
        );
        let put = repository.manifests().put(&tag.parse().unwrap(), None, text.into()).await;
        put.unwrap().digest
    }

    /// A mirror of everything in a folder.
    fn mirror() -> (TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let mirrored = Mirrored { everything: true, ..Mirrored::default() };
        let rules = Rules { mirrored, ..Rules::default() };
        let registry = Registry::new(Arc::new(Filesystem::new(folder.path())), rules);
        (folder, registry.repository("app".parse().unwrap()))
    }

    async fn look(repository: &Repository) -> Holdings {
        let mut holdings = Holdings::default();
        holdings.add(repository.clone()).await.unwrap();
        holdings
    }

    /// Parts with everything that was there at that look.
    async fn part_with_all(holdings: &Holdings) {
        holdings.part_with(&(0..holdings.units.len()).collect()).await.unwrap();
    }

    #[tokio::test]
    async fn what_an_image_needs_that_has_come_since_the_look_stays() {
        let (_folder, app) = mirror();
        let layer = push_blob(&app, "layer").await;
        let old = push_image(&app, "old", &layer).await;
        let holdings = look(&app).await;
        let new = push_image(&app, "new", &layer).await;
        part_with_all(&holdings).await;
        assert!(app.manifests().get(&old.into()).await.is_err());
        assert!(app.manifests().get(&new.into()).await.is_ok());
        assert!(app.blobs().head(&layer).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_pulled_after_the_look_stays() {
        let (_folder, app) = mirror();
        let layer = push_blob(&app, "layer").await;
        let image = push_image(&app, "1", &layer).await;
        let holdings = look(&app).await;
        app.note_pull(&image.into());
        part_with_all(&holdings).await;
        assert!(app.manifests().get(&"1".parse().unwrap()).await.is_ok());
        assert!(app.blobs().head(&layer).await.is_ok());
    }

    #[tokio::test]
    async fn a_tag_that_has_moved_since_the_look_stays() {
        let (_folder, app) = mirror();
        let layer = push_blob(&app, "layer").await;
        push_image(&app, "1", &layer).await;
        let holdings = look(&app).await;
        let other = push_blob(&app, "other").await;
        push_image(&app, "2", &other).await;
        let bytes = app.manifests().get(&"2".parse().unwrap()).await.unwrap().bytes;
        app.manifests().put(&"1".parse().unwrap(), None, bytes).await.unwrap();
        part_with_all(&holdings).await;
        assert!(app.manifests().get(&"1".parse().unwrap()).await.is_ok());
        assert!(app.blobs().head(&layer).await.is_err());
    }

    #[tokio::test]
    async fn what_refers_to_an_image_is_listed_when_that_comes_back() {
        let (_folder, app) = mirror();
        let layer = push_blob(&app, "layer").await;
        let subject = push_image(&app, "1", &layer).await;
        let kind = MediaType::OCI_IMAGE;
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"a/b","digest":"{layer}","size":1}},"layers":[],"subject":{{"mediaType":"{kind}","digest":"{subject}","size":1}}}}"#
        );
        let signature = app.manifests().put(&"sig".parse().unwrap(), None, text.into()).await.unwrap().digest;
        let list = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{kind}","digest":"{signature}","size":1}}]}}"#,
            MediaType::OCI_INDEX
        );
        let holdings = look(&app).await;
        app.manifests().put(&"list".parse().unwrap(), None, list.into()).await.unwrap();
        part_with_all(&holdings).await;
        push_image(&app, "1", &layer).await;
        let listed = app.referrers().list(&subject, None, &crate::repository::Page::default()).await.unwrap();
        assert_eq!(listed.items.iter().map(|found| found.digest).collect::<Vec<_>>(), [signature]);
    }
}
