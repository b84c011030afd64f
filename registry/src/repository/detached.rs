//! Work that goes on when the client who asked for it has left.

use std::future::Future;

use berth_storage::Error as StorageError;

use super::{Error, Result, layout};

/// Does `work` to its end even if nobody waits for it any more.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|stopped| {
        Err(Error::Storage(StorageError::Other { key: layout::repositories(), source: stopped.into() }))
    })
}
