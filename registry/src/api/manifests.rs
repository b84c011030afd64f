//! Manifests: pulling, pushing and deleting (distribution specification, end-3, end-7 and end-9).

use axum::response::{IntoResponse, Response};
use berth_oci::Reference;

use super::{
    authorize::{Delete, Pull, Push},
    body::Document,
    error::Result,
    extract::{Declared, InPath, Known},
    location::Locations,
    negotiate::{self, Accepted},
    respond::{Deleted, ManifestBody, ManifestCreated, NotModified},
};
use crate::repository::StoredManifest;

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

/// `PUT /v2/<name>/manifests/<reference>`
pub(super) async fn push(
    Push(repository): Push,
    InPath(reference): InPath<Reference>,
    locations: Locations,
    declared: Option<Declared>,
    Document(bytes): Document,
) -> Result<ManifestCreated> {
    let media_type = declared.map(|declared| declared.0);
    let pushed = repository.manifests().put(&reference, media_type.as_ref(), bytes).await?;
    let location = locations.manifest(repository.name(), &pushed.digest.into());
    Ok(ManifestCreated { location, digest: pushed.digest, subject: pushed.subject })
}

/// `DELETE /v2/<name>/manifests/<reference>`
pub(super) async fn delete(
    Delete(repository): Delete,
    InPath(reference): InPath<Reference>,
) -> Result<Deleted> {
    repository.manifests().delete(&reference).await?;
    Ok(Deleted)
}
