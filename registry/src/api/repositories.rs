//! Whole repositories: an endpoint of our own.

use super::{authorize::Delete, error::Result, notify::Happened, respond::Deleted};
use crate::notifications::Occurrence;

/// `DELETE /v2/<name>/_berth/repository`
pub(super) async fn delete(Delete(repository): Delete) -> Result<(Happened, Deleted)> {
    repository.delete().await?;
    Ok((Happened::new(repository, [Occurrence::RepositoryDeleted]), Deleted))
}
