//! The bucket of a configuration: opened, and made where that is asked for.

use std::time::Duration;

use anyhow::Context;
use berth_registry::config::Storage;
use berth_storage::{S3, S3Settings};

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// The store in a bucket; nothing is asked of its server yet.
pub(super) fn open(settings: &S3Settings) -> anyhow::Result<S3> {
    S3::new(settings.clone(), |name| std::env::var(name).ok()).context("the storage in S3 cannot be set up")
}

/// Makes the bucket before the first request, if the configuration asks for that. When it cannot be made yet, it is tried
/// again, and clients are told meanwhile to come back.
pub(super) async fn make(storage: &Storage) -> anyhow::Result<()> {
    let Storage::S3(settings) = storage else { return Ok(()) };
    if !settings.create_bucket {
        return Ok(());
    }
    let (store, name) = (open(settings)?, settings.bucket.clone());
    if !is_there(&store, &name).await {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(RETRY).await;
                if is_there(&store, &name).await {
                    return;
                }
            }
        });
    }
    Ok(())
}

/// Makes the bucket if it is missing, and says whether there is one now.
async fn is_there(store: &S3, name: &str) -> bool {
    match store.create_bucket().await {
        Ok(true) => tracing::info!("made the bucket {name} (storage.s3.createbucket)"),
        Ok(false) => {}
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                error,
                "the bucket {name} is not there, or cannot be looked at; it is tried again"
            );
            return false;
        }
    }
    true
}
