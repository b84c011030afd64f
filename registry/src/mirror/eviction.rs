//! Parts with what a mirror may not keep, as soon as it has too much.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use berth_oci::RepositoryName;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{Mirror, Mirrors};
use crate::repository::{Allowance, Evicted, NotStarted, Options, Registry, Result};

/// How often it is looked what a mirror has, of which other processes, too, may have brought some.
const INTERVAL: Duration = Duration::from_mins(10);

/// The shortest time from one look to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// The shortest one when there is too much and nothing may go: the registry is read-only, or all of it is being pulled.
const VAIN_PAUSE: Duration = Duration::from_mins(1);

/// So many times as long as a look has taken, nobody looks again: those who pull have the storage to themselves.
const SHARE: u32 = 9;

/// How often the garbage is collected that this makes, where nothing else is configured.
const COLLECTION_INTERVAL: Duration = Duration::from_hours(6);

impl Mirrors {
    /// Collects the garbage that mirrors make, for as long as the process lives. Nobody needs it where it is collected anyway.
    pub fn collect_garbage(&self, registry: &Registry) {
        tokio::spawn(keep_collecting(registry.clone(), Arc::clone(&self.garbage)));
    }
}

/// Parts with what the mirror may not keep, for as long as it is in force.
pub(super) async fn keep_evicting(mirrors: Mirrors, mirror: Weak<Mirror>, registry: Registry) {
    loop {
        let Some(mirror) = mirror.upgrade() else { return };
        let begun = Instant::now();
        let pause = mirrors.part_with_excess(&mirror, &registry).await;
        let fill = Arc::clone(&mirror.fill);
        drop(mirror);
        sleep((begun.elapsed() * SHARE).max(pause)).await;
        let _over_or_due = timeout(INTERVAL, fill.wait()).await;
    }
}

impl Mirrors {
    /// Parts with it once, and returns for how long to leave it at that.
    async fn part_with_excess(&self, mirror: &Arc<Mirror>, registry: &Registry) -> Duration {
        // A prefix may lie below another mirror's.
        let belongs = |name: &RepositoryName| self.of(name).is_some_and(|of| Arc::ptr_eq(&of, mirror));
        match mirror.evict(registry, belongs).await {
            Ok(Evicted { bytes: 0, left, .. }) if mirror.limit.is_some_and(|limit| left > limit) => {
                return VAIN_PAUSE;
            }
            Ok(Evicted { bytes: 0, .. }) => {}
            Ok(_) => self.garbage.notify_one(),
            Err(error) => {
                let (upstream, error): (_, &dyn std::error::Error) = (mirror.upstream(), &error);
                tracing::warn!(upstream, error, "a mirror could not part with anything");
            }
        }
        PAUSE
    }
}

/// What has become garbage goes days later, by several runs: there is no end to them.
async fn keep_collecting(registry: Registry, garbage: Arc<Notify>) {
    garbage.notified().await;
    loop {
        match registry.garbage_collection().start(Options::default()).await {
            Ok(_) | Err(NotStarted::AlreadyRunning(_)) => {}
            Err(NotStarted::Failed(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the garbage of mirrors could not be collected");
            }
        }
        sleep(COLLECTION_INTERVAL).await;
    }
}

impl Mirror {
    pub(super) fn has_bounds(&self) -> bool {
        self.limit.is_some() || self.keep.is_some()
    }

    /// Parts with what it may not keep now, in the repositories that belong to it.
    pub(super) async fn evict(
        &self,
        registry: &Registry,
        belongs: impl Fn(&RepositoryName) -> bool,
    ) -> Result<Evicted> {
        let allowance = Allowance { bytes: self.limit, idle: self.keep };
        self.fill.begin_anew();
        let evicted = registry.evict(belongs, allowance).await?;
        self.fill.add(evicted.left);
        self.metrics.stored(self.upstream(), evicted.left);
        if evicted.bytes > 0 {
            // What refers to an image has gone with it.
            self.referrers.forget_all();
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
    use crate::{
        mirror::testing::Fixture,
        repository::{Page, Repository},
    };

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
        let evicted = fixture.evict().await.unwrap();
        assert_eq!(evicted.images, 1);
        assert!(evicted.bytes > 6000 && evicted.bytes < 7000 && evicted.left < 9000, "{evicted:?}");
        assert!(!has_tag(&old, "old").await && has_tag(&new, "new").await);
        assert!(old.blobs().head(&own_layer).await.is_err());
        assert!(new.blobs().head(&shared_layer).await.is_ok());
    }

    #[tokio::test]
    async fn within_its_limit_a_mirror_keeps_everything() {
        let Images { fixture, old, .. } = images(Some(20_000), None).await;
        assert_eq!(fixture.evict().await.unwrap().bytes, 0);
        assert!(has_tag(&old, "old").await);
    }

    #[tokio::test]
    async fn what_nobody_has_pulled_for_long_goes_and_comes_back_from_upstream() {
        let Images { fixture, old, new, .. } = images(None, Some(DAY)).await;
        fixture.evict().await.unwrap();
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
        fixture.evict().await.unwrap();
        assert!(has_tag(&old, "old").await);
    }

    #[tokio::test]
    async fn signatures_go_with_their_image_and_come_back_with_it() {
        let fixture = Fixture::with(|mirror| {
            (mirror.limit, mirror.ttl) = (Some(5000), Duration::from_hours(1));
        });
        let layer = fixture.fake.put_blob(vec![1; 6000]);
        let image = fixture.fake.put_image("1", &[layer]);
        let signature = fixture.fake.put_referrer("signature", &image);
        // Found by the signature's tag alone, too.
        let tag = format!("{}.sig", image.to_string().replace(':', "-"));
        let old = fixture.fake.put_manifest(&tag, "old");
        let app = fixture.app();
        fixture.fetch(&app, "1").await;
        fixture.fetch(&app, &tag).await;
        let evicted = fixture.evict().await.unwrap();
        assert_eq!((evicted.images, evicted.left), (1, 0));
        for gone in [image, signature, old] {
            assert!(app.manifests().get(&gone.into()).await.is_err(), "{gone}");
        }
        fixture.fetch(&app, "1").await;
        let listed = app.referrers().list(&image, None, &Page::default()).await.unwrap();
        assert!(listed.items.iter().any(|found| found.digest == signature));
    }

    #[tokio::test]
    async fn what_is_pushed_is_no_part_of_a_mirror() {
        let Images { fixture, .. } = images(Some(1), Some(Duration::ZERO)).await;
        let own = fixture.registry.repository("app".parse().unwrap());
        let index = fixture.fake.put_manifest("1", "own");
        let bytes = fixture.fake.manifests.lock().unwrap()["1"].clone();
        own.manifests().put(&"1".parse().unwrap(), None, bytes).await.unwrap();
        fixture.evict().await.unwrap();
        assert!(own.manifests().get(&index.into()).await.is_ok());
    }
}
