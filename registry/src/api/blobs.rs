//! Blobs: pulling and deleting (distribution specification, end-2 and end-10).

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use berth_oci::Digest;

use super::{
    Api,
    authorize::{Delete, Pull},
    error::Result,
    extract::{InPath, Known, Wanted},
    mirrored,
    notify::Happened,
    redirect::Redirection,
    respond::{BlobBody, BlobHead, BlobNotModified, BlobRedirect, Deleted},
};
use crate::{notifications::Occurrence, repository::BlobInfo, server::Files};

/// `HEAD /v2/<name>/blobs/<digest>`, which is answered here also where `GET` is redirected: there is nothing to read, and
/// a client learns the length one request sooner. Distribution redirects it too.
pub(super) async fn head(
    Pull(repository): Pull,
    State(api): State<Api>,
    InPath(digest): InPath<Digest>,
    known: Known,
) -> Result<Response> {
    let blob = mirrored::head_blob(&api.mirrors, &repository, &digest).await?;
    if known.contains(&digest) {
        return Ok(BlobNotModified(digest).into_response());
    }
    let pulled = Occurrence::BlobPulled(blob);
    Ok((Happened::new(repository, [pulled]), BlobHead(blob)).into_response())
}

/// `GET /v2/<name>/blobs/<digest>`, or the part of it that `Range` asks for. Who is redirected asks for the part there.
pub(super) async fn pull(
    Pull(repository): Pull,
    State(api): State<Api>,
    InPath(digest): InPath<Digest>,
    known: Known,
    wanted: Option<Wanted>,
    Redirection(lifetime): Redirection,
    files: Option<Extension<Files>>,
) -> Result<Response> {
    if known.contains(&digest) {
        mirrored::head_blob(&api.mirrors, &repository, &digest).await?;
        return Ok(BlobNotModified(digest).into_response());
    }
    if let Some(lifetime) = lifetime
        && let Some(presigned) = mirrored::presign(&api.mirrors, &repository, &digest, lifetime).await?
    {
        let pulled = Occurrence::BlobPulled(presigned.blob);
        return Ok((Happened::new(repository, [pulled]), BlobRedirect(presigned)).into_response());
    }
    let range = wanted.and_then(|wanted| wanted.of(&digest));
    let content = mirrored::open_blob(&api.mirrors, &repository, &digest, range).await?;
    let pulled = Occurrence::BlobPulled(BlobInfo { digest, size: content.size });
    Ok((Happened::new(repository, [pulled]), BlobBody { content, files: files.map(|files| files.0) })
        .into_response())
}

/// `DELETE /v2/<name>/blobs/<digest>`
pub(super) async fn delete(
    Delete(repository): Delete,
    InPath(digest): InPath<Digest>,
) -> Result<(Happened, Deleted)> {
    repository.blobs().delete(&digest).await?;
    Ok((Happened::new(repository, [Occurrence::BlobDeleted(digest)]), Deleted))
}
