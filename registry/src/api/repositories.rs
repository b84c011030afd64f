//! Whole repositories: an endpoint of our own.

use super::{authorize::Delete, error::Result, respond::Deleted};

/// `DELETE /v2/<name>/_berth/repository`
pub(super) async fn delete(Delete(repository): Delete) -> Result<Deleted> {
    repository.delete().await?;
    Ok(Deleted)
}
