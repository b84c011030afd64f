//! Uploads that nobody will continue.

use std::time::Duration;

use berth_oci::{RepositoryName, UploadId};
use berth_storage::Error as StorageError;
use futures::TryStreamExt as _;

use crate::repository::state::State;
use crate::repository::{Result, layout};

/// The uploads of the repository to which nothing was added for `age`.
pub(in crate::repository) async fn abandoned(
    state: &State,
    name: &RepositoryName,
    age: Duration,
) -> Result<Vec<UploadId>> {
    let names: Vec<String> = state.store.children(&layout::uploads(name), None).try_collect().await?;
    let mut abandoned = Vec::new();
    for id in names.iter().filter_map(|name| name.parse().ok()) {
        let objects: Vec<_> = state.store.list(&layout::upload(name, &id), None).try_collect().await?;
        let last_used = objects.iter().map(|meta| meta.modified).max();
        let idle = last_used.and_then(|last_used| state.clock.now().duration_since(last_used).ok());
        if idle.is_some_and(|idle| idle >= age) {
            abandoned.push(id);
        }
    }
    Ok(abandoned)
}

/// Removes such an upload; `false` when somebody is writing to it after all.
pub(in crate::repository) async fn remove_abandoned(
    state: &State,
    name: &RepositoryName,
    id: &UploadId,
) -> Result<bool> {
    match state.store.abort(&layout::upload_data(name, id)).await {
        Err(StorageError::Busy(_)) => return Ok(false),
        aborted => aborted?,
    }
    state.delete_below(&layout::upload(name, id)).await?;
    tracing::info!(repository = %name, upload = %id, "removed an abandoned upload");
    Ok(true)
}
