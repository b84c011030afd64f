//! Manifests: pulling, pushing and deleting (distribution specification, end-3, end-7 and end-9).

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use berth_oci::{Reference, Tag};

use super::{
    Api,
    authorize::{Delete, Pull, Push},
    body::Document,
    error::Result,
    extract::{Declared, Expected, InPath, Known},
    location::Locations,
    mirrored,
    negotiate::{self, Accepted},
    notify::Happened,
    query::Parameters,
    respond::{Deleted, ManifestBody, ManifestCreated, NotModified},
};
use crate::{
    mirror::Freshly,
    notifications::Occurrence,
    repository::{Address, ManifestPush, Repository, StoredManifest},
};

/// `HEAD /v2/<name>/manifests/<reference>`: what a client asks before it relies on a manifest.
pub(super) async fn head(
    Pull(repository): Pull,
    State(api): State<Api>,
    InPath(reference): InPath<Reference>,
    accepted: Accepted,
    known: Known,
) -> Result<Response> {
    let (manifest, freshly) = find(&api, &repository, &reference, &accepted, true).await?;
    Ok(mirrored::warn(pulled(manifest, &known, repository, &reference), freshly))
}

/// `GET /v2/<name>/manifests/<reference>`
pub(super) async fn pull(
    Pull(repository): Pull,
    State(api): State<Api>,
    InPath(reference): InPath<Reference>,
    accepted: Accepted,
    known: Known,
) -> Result<Response> {
    let (manifest, freshly) = find(&api, &repository, &reference, &accepted, false).await?;
    Ok(mirrored::warn(pulled(manifest, &known, repository, &reference), freshly))
}

/// The manifest that a client gets, who will rely on it if `is_head`, and whether it is what upstream has, if there is one.
pub(super) async fn find(
    api: &Api,
    repository: &Repository,
    reference: &Reference,
    accepted: &Accepted,
    is_head: bool,
) -> Result<(StoredManifest, Freshly)> {
    match api.mirrors.of(repository.name()) {
        None => Ok((find_stored(repository, reference, accepted, is_head).await?, Freshly::Fresh)),
        Some(mirror) => mirrored::find(&mirror, repository, reference, accepted, is_head).await,
    }
}

/// The manifest that a client gets of those that are stored. Who has it already, or asks only for its digest, uses
/// the tag as well.
pub(super) async fn find_stored(
    repository: &Repository,
    reference: &Reference,
    accepted: &Accepted,
    is_head: bool,
) -> Result<StoredManifest> {
    let manifests = repository.manifests();
    let found = if is_head { manifests.head(reference).await } else { manifests.get(reference).await };
    let manifest = negotiate::fit(repository, reference, accepted, found?).await?;
    repository.note_pull(reference);
    Ok(manifest)
}

/// The manifest, unless the client has it.
pub(super) fn unless_known(manifest: StoredManifest, known: &Known) -> Response {
    if known.contains(&manifest.digest) {
        return NotModified(manifest.digest).into_response();
    }
    ManifestBody(manifest).into_response()
}

fn pulled(
    manifest: StoredManifest,
    known: &Known,
    repository: Repository,
    reference: &Reference,
) -> Response {
    if known.contains(&manifest.digest) {
        return NotModified(manifest.digest).into_response();
    }
    let pulled = Occurrence::ManifestPulled(manifest.clone(), tag_of(reference).cloned());
    (Happened::new(repository, [pulled]), ManifestBody(manifest)).into_response()
}

pub(super) fn tag_of(reference: &Reference) -> Option<&Tag> {
    match reference {
        Reference::Tag(tag) => Some(tag),
        Reference::Digest(_) => None,
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
) -> Result<(Happened, ManifestCreated)> {
    let tags = parameters.tags()?;
    let mut push = ManifestPush::to(&reference, bytes.clone());
    if let (Address::By(_), Some(algorithm)) = (push.address, parameters.algorithm()?) {
        push.address = Address::By(algorithm);
    }
    push.tags.extend_from_slice(&tags);
    push.media_type = declared.map(|declared| declared.0);
    push.precondition = precondition;
    let pushed = repository.manifests().push(push).await?;
    let location = locations.manifest(repository.name(), &pushed.digest.into());
    let manifest = StoredManifest { digest: pushed.digest, media_type: pushed.media_type, bytes };
    let happened = Happened::new(repository, pushes(&manifest, tag_of(&reference).into_iter().chain(&tags)));
    Ok((happened, ManifestCreated { location, digest: pushed.digest, subject: pushed.subject, tags }))
}

/// One push for each tag, or one without a tag.
fn pushes<'a>(manifest: &StoredManifest, tags: impl Iterator<Item = &'a Tag>) -> Vec<Occurrence> {
    let mut pushes: Vec<_> =
        tags.map(|tag| Occurrence::ManifestPushed(manifest.clone(), Some(tag.clone()))).collect();
    if pushes.is_empty() {
        pushes.push(Occurrence::ManifestPushed(manifest.clone(), None));
    }
    pushes
}

/// `DELETE /v2/<name>/manifests/<reference>`
pub(super) async fn delete(
    Delete(repository): Delete,
    InPath(reference): InPath<Reference>,
    Expected(precondition): Expected,
) -> Result<(Happened, Deleted)> {
    let tags = repository.manifests().delete_if(&reference, &precondition).await?;
    let manifest = match reference {
        Reference::Tag(_) => None,
        Reference::Digest(digest) => Some(Occurrence::ManifestDeleted(digest)),
    };
    let deletions: Vec<_> =
        manifest.into_iter().chain(tags.into_iter().map(Occurrence::TagDeleted)).collect();
    Ok((Happened::new(repository, deletions), Deleted))
}
