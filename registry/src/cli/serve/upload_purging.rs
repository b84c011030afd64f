//! The removal of forgotten uploads, again and again, as the configuration wants it at the time.

use berth_registry::{
    config::UploadPurging,
    repository::{self, Registry},
};
use tokio::{sync::watch, time::timeout};

/// Removes forgotten uploads for as long as somebody may change how.
pub(super) async fn purge(registry: Registry, mut purging: watch::Receiver<Option<UploadPurging>>) {
    loop {
        let wanted = *purging.borrow_and_update();
        let changed = match wanted {
            None => purging.changed().await,
            Some(wanted) => {
                purge_once(&registry, wanted).await;
                timeout(wanted.interval, purging.changed()).await.unwrap_or(Ok(()))
            }
        };
        if changed.is_err() {
            return;
        }
    }
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
