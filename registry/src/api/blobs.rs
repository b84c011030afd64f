//! Blobs: pulling and deleting (distribution specification, end-2 and end-10).

use axum::response::{IntoResponse, Response};
use berth_oci::Digest;

use super::{
    authorize::{Delete, Pull},
    error::Result,
    extract::{InPath, Known, Wanted},
    notify::Happened,
    respond::{BlobBody, BlobHead, BlobNotModified, Deleted},
};
use crate::{notifications::Occurrence, repository::BlobInfo};

/// `HEAD /v2/<name>/blobs/<digest>`
pub(super) async fn head(
    Pull(repository): Pull,
    InPath(digest): InPath<Digest>,
    known: Known,
) -> Result<Response> {
    let blob = repository.blobs().head(&digest).await?;
    if known.contains(&digest) {
        return Ok(BlobNotModified(digest).into_response());
    }
    let pulled = Occurrence::BlobPulled(blob);
    Ok((Happened::new(repository, [pulled]), BlobHead(blob)).into_response())
}

/// `GET /v2/<name>/blobs/<digest>`, or the part of it that `Range` asks for.
pub(super) async fn pull(
    Pull(repository): Pull,
    InPath(digest): InPath<Digest>,
    known: Known,
    wanted: Option<Wanted>,
) -> Result<Response> {
    if known.contains(&digest) {
        repository.blobs().head(&digest).await?;
        return Ok(BlobNotModified(digest).into_response());
    }
    let range = wanted.and_then(|wanted| wanted.of(&digest));
    let content = repository.blobs().open(&digest, range).await?;
    let pulled = Occurrence::BlobPulled(BlobInfo { digest, size: content.size });
    Ok((Happened::new(repository, [pulled]), BlobBody(content)).into_response())
}

/// `DELETE /v2/<name>/blobs/<digest>`
pub(super) async fn delete(
    Delete(repository): Delete,
    InPath(digest): InPath<Digest>,
) -> Result<(Happened, Deleted)> {
    repository.blobs().delete(&digest).await?;
    Ok((Happened::new(repository, [Occurrence::BlobDeleted(digest)]), Deleted))
}
