//! The removal of forgotten uploads, again and again, as the configuration wants it at the time.
//!
//! It looks into every folder of the storage. A server that starts has better things to do, and several that start together,
//! or that are told of a new configuration, should not all do that at once. So the first time is put off by chance.

use std::time::Duration;

use berth_registry::{
    config::UploadPurging,
    repository::{self, Registry},
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// The first time is before then, as with Distribution.
const FIRST_WITHIN: Duration = Duration::from_hours(1);

/// Removes forgotten uploads for as long as somebody may change how.
pub(super) async fn purge(registry: Registry, mut purging: watch::Receiver<Option<UploadPurging>>) {
    let (mut since, mut at_most) = (Instant::now(), some_of(FIRST_WITHIN));
    loop {
        let wanted = *purging.borrow_and_update();
        let changed = match wanted {
            None => purging.changed().await,
            Some(wanted) => {
                let wait = wanted.interval.min(at_most).saturating_sub(since.elapsed());
                let changed = timeout(wait, purging.changed()).await;
                if changed.is_err() {
                    purge_once(&registry, wanted).await;
                    (since, at_most) = (Instant::now(), Duration::MAX);
                }
                changed.unwrap_or(Ok(()))
            }
        };
        if changed.is_err() {
            return;
        }
    }
}

/// A part of the time, by chance.
fn some_of(time: Duration) -> Duration {
    let mut chance = [0];
    // Without randomness all of it is as good.
    let _ = SystemRandom::new().fill(&mut chance);
    time / 256 * u32::from(u8::MAX - chance[0])
}

async fn purge_once(registry: &Registry, purging: UploadPurging) {
    if registry.is_read_only() {
        return;
    }
    let purged = if purging.dry_run {
        tell_abandoned_uploads(registry, &purging).await
    } else {
        registry.purge_uploads(purging.age).await
    };
    match purged {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "forgotten uploads and cut-off writes were removed"),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "forgotten uploads could not be removed");
        }
    }
}

/// Logs what would be removed without `dryrun`; nothing is.
async fn tell_abandoned_uploads(registry: &Registry, purging: &UploadPurging) -> repository::Result<u64> {
    for (repository, upload) in registry.abandoned_uploads(purging.age).await? {
        tracing::info!(%repository, %upload, "this upload is forgotten; it stays because of `uploadpurging.dryrun`");
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use berth_registry::repository::Rules;
    use berth_storage::Memory;
    use tokio::time::sleep;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    /// A registry with an upload that is forgotten at once.
    async fn registry() -> Registry {
        let registry = Registry::new(Arc::new(Memory::default()), Rules::default());
        upload(&registry).await;
        registry
    }

    async fn upload(registry: &Registry) {
        registry.repository("app".parse().unwrap()).uploads().start().await.unwrap();
    }

    async fn has_uploads(registry: &Registry) -> bool {
        !registry.abandoned_uploads(Duration::ZERO).await.unwrap().is_empty()
    }

    fn every(interval: Duration) -> UploadPurging {
        UploadPurging { age: Duration::ZERO, interval, dry_run: false }
    }

    #[tokio::test(start_paused = true)]
    async fn uploads_are_removed_within_an_hour_and_once_in_an_interval_from_then_on() {
        let registry = registry().await;
        let (_sender, purging) = watch::channel(Some(every(DAY)));
        tokio::spawn(purge(registry.clone(), purging));
        sleep(FIRST_WITHIN).await;
        assert!(!has_uploads(&registry).await);
        upload(&registry).await;
        sleep(DAY / 2).await;
        assert!(has_uploads(&registry).await);
        sleep(DAY / 2).await;
        assert!(!has_uploads(&registry).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_configuration_changes_when_and_removes_nothing_by_itself() {
        let registry = registry().await;
        let (sender, purging) = watch::channel(None);
        tokio::spawn(purge(registry.clone(), purging));
        sleep(DAY).await;
        assert!(has_uploads(&registry).await, "nobody wants it");
        sender.send_replace(Some(every(DAY)));
        sleep(Duration::from_secs(1)).await;
        assert!(!has_uploads(&registry).await, "its time had come");
        upload(&registry).await;
        sender.send_replace(Some(every(DAY)));
        sleep(Duration::from_secs(1)).await;
        assert!(has_uploads(&registry).await);
        sender.send_replace(Some(every(Duration::from_secs(3))));
        sleep(Duration::from_secs(2)).await;
        assert!(!has_uploads(&registry).await);
    }
}
