//! JSON documents in the storage: what processes have to tell each other.

use berth_storage::{Error as StorageError, Key, ObjectMeta, ObjectStore, PutCondition};
use serde::{Serialize, de::DeserializeOwned};

use super::Result;
use super::state::read;

/// The JSON document in the object, if there is one that can be read, and what is known about the object.
pub(super) async fn read_document<T: DeserializeOwned>(
    store: &dyn ObjectStore,
    key: &Key,
) -> Result<Option<(ObjectMeta, T)>> {
    let Some((meta, content)) = read(store, key).await? else { return Ok(None) };
    let document = serde_json::from_slice(&content);
    let document = document.inspect_err(|error| tracing::warn!(%key, %error, "the document is ignored"));
    Ok(document.ok().map(|document| (meta, document)))
}

/// Keeps the document as JSON under `key`.
pub(super) async fn write_document(
    store: &dyn ObjectStore,
    key: &Key,
    document: &(impl Serialize + Sync),
    condition: PutCondition,
) -> Result<(), StorageError> {
    let content = serde_json::to_vec(document)
        .map_err(|error| StorageError::Other { key: key.clone(), source: error.into() })?;
    store.put(key, content.into(), condition).await
}
