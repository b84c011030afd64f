//! Parts with what a mirror may not keep, again and again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Mirror, Mirrors};
use crate::repository::{Allowance, Evicted, NotStarted, Options, Registry, Result};

/// How often it is looked whether a mirror has too much.
const INTERVAL: Duration = Duration::from_mins(10);

/// How often the garbage is collected that this makes, where nothing else is configured.
const COLLECTION_INTERVAL: Duration = Duration::from_hours(6);

impl Mirrors {
    /// Parts with what mirrors may not keep, for as long as the process lives, and collects the garbage that this makes
    /// unless that `is_collected` anyway.
    pub fn evict(&self, registry: &Registry, is_collected: bool) {
        tokio::spawn(keep_evicting(self.clone(), registry.clone(), is_collected));
    }
}

async fn keep_evicting(mirrors: Mirrors, registry: Registry, is_collected: bool) {
    let (mut has_evicted, mut collected) = (false, None::<Instant>);
    loop {
        sleep(INTERVAL).await;
        for mirror in mirrors.current().iter().filter(|mirror| mirror.has_bounds()) {
            match mirror.evict(&registry).await {
                Ok(evicted) => has_evicted |= evicted.bytes > 0,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(
                        upstream = mirror.upstream(),
                        error,
                        "a mirror could not part with anything"
                    );
                }
            }
        }
        let is_due = collected.is_none_or(|then| then.elapsed() >= COLLECTION_INTERVAL);
        if has_evicted && !is_collected && is_due {
            collected = Some(Instant::now());
            match registry.garbage_collection().start(Options::default()).await {
                Ok(_) | Err(NotStarted::AlreadyRunning(_)) => {}
                Err(NotStarted::Failed(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "the garbage of mirrors could not be collected");
                }
            }
        }
    }
}

impl Mirror {
    fn has_bounds(&self) -> bool {
        self.limit.is_some() || self.keep.is_some()
    }

    /// Parts with what it may not keep now.
    pub(super) async fn evict(&self, registry: &Registry) -> Result<Evicted> {
        let allowance = Allowance { bytes: self.limit, idle: self.keep };
        let evicted = registry.evict(|name| self.names.at_upstream(name).is_some(), allowance).await?;
        self.metrics.stored(self.upstream(), evicted.left);
        if evicted.bytes > 0 {
            self.metrics.evicted(self.upstream(), evicted.bytes);
            tracing::info!(
                upstream = self.upstream(),
                images = evicted.images,
                bytes = evicted.bytes,
                left = evicted.left,
                "a mirror has parted with what was pulled longest ago"
            );
        }
        Ok(evicted)
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::{Digest, Reference};

    use super::*;
    use crate::{mirror::testing::Fixture, repository::Repository};

    const DAY: Duration = Duration::from_hours(24);

    /// A mirror with an image that was pulled two days ago and one that was pulled now, which share a layer.
    struct Images {
        fixture: Fixture,
        old: Repository,
        new: Repository,
        own_layer: Digest,
        shared_layer: Digest,
    }

    async fn images(limit: Option<u64>, keep: Option<Duration>) -> Images {
        let fixture = Fixture::with(|mirror| (mirror.limit, mirror.keep) = (limit, keep));
        let (own_layer, shared_layer) =
            (fixture.fake.put_blob(vec![1; 6000]), fixture.fake.put_blob(vec![2; 3000]));
        let new_layer = fixture.fake.put_blob(vec![3; 1000]);
        fixture.fake.put_image("old", &[own_layer, shared_layer]);
        fixture.fake.put_image("new", &[shared_layer, new_layer]);
        let repository = |name: &str| fixture.registry.repository(name.parse().unwrap());
        let (old, new) = (repository("hub/old"), repository("hub/new"));
        fixture.fetch(&old, "old").await;
        fixture.fetch(&new, "new").await;
        fixture.age(&old, DAY * 2);
        Images { fixture, old, new, own_layer, shared_layer }
    }

    async fn has_tag(repository: &Repository, tag: &str) -> bool {
        repository.manifests().get(&tag.parse::<Reference>().unwrap()).await.is_ok()
    }

    #[tokio::test]
    async fn what_was_pulled_longest_ago_makes_room_and_what_others_need_stays() {
        let Images { fixture, old, new, own_layer, shared_layer } = images(Some(9000), None).await;
        let evicted = fixture.mirror.evict(&fixture.registry).await.unwrap();
        assert_eq!(evicted.images, 1);
        assert!(evicted.bytes > 6000 && evicted.bytes < 7000 && evicted.left < 9000, "{evicted:?}");
        assert!(!has_tag(&old, "old").await && has_tag(&new, "new").await);
        assert!(old.blobs().head(&own_layer).await.is_err());
        assert!(new.blobs().head(&shared_layer).await.is_ok());
    }

    #[tokio::test]
    async fn within_its_limit_a_mirror_keeps_everything() {
        let Images { fixture, old, .. } = images(Some(20_000), None).await;
        assert_eq!(fixture.mirror.evict(&fixture.registry).await.unwrap().bytes, 0);
        assert!(has_tag(&old, "old").await);
    }

    #[tokio::test]
    async fn what_nobody_has_pulled_for_long_goes_and_comes_back_from_upstream() {
        let Images { fixture, old, new, .. } = images(None, Some(DAY)).await;
        fixture.mirror.evict(&fixture.registry).await.unwrap();
        assert!(!has_tag(&old, "old").await && has_tag(&new, "new").await);
        fixture.fetch(&old, "old").await;
        assert!(has_tag(&old, "old").await);
    }

    #[tokio::test]
    async fn a_pull_counts_as_use() {
        let Images { fixture, old, .. } = images(None, Some(DAY)).await;
        let tag: Reference = "old".parse().unwrap();
        old.note_pull(&tag);
        let note = fixture.folder.path().join("docker/registry/v2/repositories/hub/old/_berth/pulls/old");
        while !note.exists() {
            tokio::task::yield_now().await;
        }
        fixture.mirror.evict(&fixture.registry).await.unwrap();
        assert!(has_tag(&old, "old").await);
    }

    #[tokio::test]
    async fn what_is_pushed_is_no_part_of_a_mirror() {
        let Images { fixture, .. } = images(Some(1), Some(Duration::ZERO)).await;
        let own = fixture.registry.repository("app".parse().unwrap());
        let index = fixture.fake.put_manifest("1", "own");
        let bytes = fixture.fake.manifests.lock().unwrap()["1"].clone();
        own.manifests().put(&"1".parse().unwrap(), None, bytes).await.unwrap();
        fixture.mirror.evict(&fixture.registry).await.unwrap();
        assert!(own.manifests().get(&index.into()).await.is_ok());
    }
}
