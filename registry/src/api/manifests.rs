//! Manifests: pulling, pushing and deleting (distribution specification, end-3, end-7 and end-9).

use axum::response::{IntoResponse, Response};
use berth_oci::Reference;

use super::{
    authorize::{Delete, Pull, Push},
    body::Document,
    error::Result,
    extract::{Declared, Expected, InPath, Known},
    location::Locations,
    negotiate::{self, Accepted},
    query::Parameters,
    respond::{Deleted, ManifestBody, ManifestCreated, NotModified},
};
use crate::repository::{Address, ManifestPush, StoredManifest};

/// `HEAD /v2/<name>/manifests/<reference>`: what a client asks before it relies on a manifest.
pub(super) async fn head(
    Pull(repository): Pull,
    InPath(reference): InPath<Reference>,
    accepted: Accepted,
    known: Known,
) -> Result<Response> {
    let found = repository.manifests().head(&reference).await?;
    let manifest = negotiate::fit(&repository, &reference, &accepted, found).await?;
    Ok(unless_known(manifest, &known))
}

/// `GET /v2/<name>/manifests/<reference>`
pub(super) async fn pull(
    Pull(repository): Pull,
    InPath(reference): InPath<Reference>,
    accepted: Accepted,
    known: Known,
) -> Result<Response> {
    let found = repository.manifests().get(&reference).await?;
    let manifest = negotiate::fit(&repository, &reference, &accepted, found).await?;
    Ok(unless_known(manifest, &known))
}

fn unless_known(manifest: StoredManifest, known: &Known) -> Response {
    if known.contains(&manifest.digest) {
        NotModified(manifest.digest).into_response()
    } else {
        ManifestBody(manifest).into_response()
    }
}

/// `PUT /v2/<name>/manifests/<reference>`, with more tags in `tag`; in vain if the preconditions do not hold.
pub(super) async fn push(
    Push(repository): Push,
    InPath(reference): InPath<Reference>,
    locations: Locations,
    declared: Option<Declared>,
    Expected(precondition): Expected,
    parameters: Parameters,
    Document(bytes): Document,
) -> Result<ManifestCreated> {
    let tags = parameters.tags()?;
    let mut push = ManifestPush::to(&reference, bytes);
    if let (Address::By(_), Some(algorithm)) = (push.address, parameters.algorithm()?) {
        push.address = Address::By(algorithm);
    }
    push.tags.extend_from_slice(&tags);
    push.media_type = declared.map(|declared| declared.0);
    push.precondition = precondition;
    let pushed = repository.manifests().push(push).await?;
    let location = locations.manifest(repository.name(), &pushed.digest.into());
    Ok(ManifestCreated { location, digest: pushed.digest, subject: pushed.subject, tags })
}

/// `DELETE /v2/<name>/manifests/<reference>`
pub(super) async fn delete(
    Delete(repository): Delete,
    InPath(reference): InPath<Reference>,
    Expected(precondition): Expected,
) -> Result<Deleted> {
    repository.manifests().delete_if(&reference, &precondition).await?;
    Ok(Deleted)
}
