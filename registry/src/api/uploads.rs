//! Uploads of blobs: whole, in chunks, or mounted from another repository
//! (distribution specification, end-4 to end-6, end-11, end-13 and end-14).

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use berth_oci::{Algorithm, Digest, ErrorCode, RepositoryName, UploadId};

use super::{
    Api,
    authorize::Push,
    body::Stream,
    error::{Error, Result},
    extract::{Chunk, InPath, Sender},
    location::Locations,
    notify::Happened,
    query::Parameters,
    respond::{BlobCreated, Cancelled, UploadProgress},
};
use crate::{
    auth::{Action, Identity},
    notifications::Occurrence,
    repository::{BlobInfo, Repository},
};

/// `POST /v2/<name>/blobs/uploads/`, with `mount` and perhaps `from`, with `digest` and the whole blob, or bare, perhaps
/// with `digest-algorithm`.
pub(super) async fn start(
    Push(repository): Push,
    State(api): State<Api>,
    Sender(identity): Sender,
    locations: Locations,
    parameters: Parameters,
    Stream(body): Stream,
) -> Result<Response> {
    let created = match mount(&api, &identity, &repository, &parameters).await? {
        Some((blob, from)) => Some((blob.digest, Occurrence::BlobMounted(blob, from))),
        None => match parameters.digest()? {
            Some(digest) => {
                let blob = repository.uploads().push_whole(&digest, body).await?;
                Some((digest, Occurrence::BlobPushed(blob)))
            }
            None => None,
        },
    };
    if let Some((digest, occurrence)) = created {
        let location = locations.blob(repository.name(), &digest);
        let happened = Happened::new(repository, [occurrence]);
        return Ok((happened, BlobCreated { location, digest }).into_response());
    }
    let algorithm = parameters.algorithm()?.unwrap_or(Algorithm::Sha256);
    let id = repository.uploads().start_for(algorithm).await?;
    let location = locations.upload(repository.name(), &id, 0);
    Ok(UploadProgress { location, id, size: 0 }.accepted())
}

/// Takes the blob over from another repository; from any that the user may pull from, when the client names none.
/// Whatever stands against it, the client may upload the blob instead.
async fn mount(
    api: &Api,
    identity: &Identity,
    repository: &Repository,
    parameters: &Parameters,
) -> Result<Option<(BlobInfo, RepositoryName)>> {
    let Some(digest) = parameters.get("mount").and_then(|digest| digest.parse::<Digest>().ok()) else {
        return Ok(None);
    };
    let visible = |name: &RepositoryName| api.auth.authorize(identity, Action::Pull, name);
    let blobs = repository.blobs();
    Ok(match parameters.get("from").map(str::parse::<RepositoryName>) {
        None => blobs.mount_from_any(&digest, visible).await?,
        Some(Ok(from)) if visible(&from) => blobs.mount(&digest, &from).await?.map(|blob| (blob, from)),
        Some(_) => None,
    })
}

/// `GET /v2/<name>/blobs/uploads/<upload>`: how far it is.
pub(super) async fn status(
    Push(repository): Push,
    InPath(id): InPath<UploadId>,
    locations: Locations,
) -> Result<Response> {
    let size = repository.uploads().status(&id).await?;
    let location = locations.upload(repository.name(), &id, size);
    Ok(UploadProgress { location, id, size }.status())
}

/// `PATCH /v2/<name>/blobs/uploads/<upload>`: one more chunk.
pub(super) async fn append(
    Push(repository): Push,
    InPath(id): InPath<UploadId>,
    locations: Locations,
    chunk: Option<Chunk>,
    Stream(body): Stream,
) -> Result<Response> {
    let size = repository.uploads().append(&id, chunk.map(|chunk| chunk.0), body).await?;
    let location = locations.upload(repository.name(), &id, size);
    Ok(UploadProgress { location, id, size }.accepted())
}

/// `PUT /v2/<name>/blobs/uploads/<upload>?digest=<digest>`: the last chunk, or none, and the digest of the whole.
pub(super) async fn finish(
    Push(repository): Push,
    InPath(id): InPath<UploadId>,
    locations: Locations,
    parameters: Parameters,
    chunk: Option<Chunk>,
    Stream(body): Stream,
) -> Result<(Happened, BlobCreated)> {
    let digest = parameters.digest()?.ok_or_else(|| {
        Error::bad_request(ErrorCode::DigestInvalid, "the parameter `digest` is missing: it ends an upload")
    })?;
    let blob = repository.uploads().finish(&id, chunk.map(|chunk| chunk.0), body, &digest).await?;
    let location = locations.blob(repository.name(), &digest);
    let happened = Happened::new(repository, [Occurrence::BlobPushed(blob)]);
    Ok((happened, BlobCreated { location, digest }))
}

/// `DELETE /v2/<name>/blobs/uploads/<upload>`
pub(super) async fn cancel(Push(repository): Push, InPath(id): InPath<UploadId>) -> Result<Cancelled> {
    repository.uploads().cancel(&id).await?;
    Ok(Cancelled)
}
