//! What a mirror changes for a request: which repository it means, what is fetched for it first, and what it must not do.

use std::{sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, Request, StatusCode, header::RETRY_AFTER},
    response::Response,
};
use berth_oci::{ByteRange, Digest, ErrorCode, Reference, RepositoryName};
use hyper::header::WARNING;

use super::{
    error::{Error, Result},
    fold_name::{name_in, with_path},
    manifests,
    negotiate::{self, Accepted},
};
use crate::{
    mirror::{self, Found, Freshly, Mirror, Mirrors},
    repository::{
        self, BlobContent, BlobInfo, Listing, Page, PresignedBlob, Repository, StoredManifest, TagNames,
    },
};

/// The parameter by which clients say which registry they mean, when they ask a mirror of it.
const NAMESPACE: &str = "ns";

/// Lets a request with `ns` mean the repository in which the mirror of that registry keeps what is asked for.
pub(super) fn enter<B>(mirrors: &Mirrors, request: &mut Request<B>) {
    if mirrors.is_empty() {
        return;
    }
    let uri = request.uri();
    let Some(upstream) = uri.query().and_then(namespace) else { return };
    let Some(name) = name_in(uri.path()) else { return };
    let Some(here) = name.parse().ok().and_then(|name: RepositoryName| mirrors.name_here(&upstream, &name))
    else {
        return;
    };
    let path = uri.path().replacen(name, here.as_str(), 1);
    if let Some(uri) = with_path(uri, path) {
        *request.uri_mut() = uri;
    }
}

fn namespace(query: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find(|(name, _)| name == NAMESPACE).map(|(_, upstream)| upstream.into_owned())
}

/// Refuses to push what only its upstream can have.
pub(super) fn keep_out(mirrors: &Mirrors, name: &RepositoryName) -> Result<()> {
    let Some(mirror) = mirrors.keeping_out(name) else { return Ok(()) };
    let upstream = mirror.upstream();
    let told = format!(
        "{name} is a mirror of {upstream}, into which nothing is pushed: push to {upstream}, or under another name"
    );
    Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, told))
}

/// Says that an answer may be out of date (RFC 7234, section 5.5).
pub(super) fn warn(mut response: Response, freshly: Freshly) -> Response {
    let warnings: &[&'static str] = match freshly {
        Freshly::Fresh => &[],
        Freshly::Stale => &[r#"110 - "Response is Stale""#, r#"111 - "Revalidation Failed""#],
        Freshly::Offline => &[r#"112 - "Disconnected Operation""#],
    };
    for warning in warnings {
        response.headers_mut().append(WARNING, HeaderValue::from_static(warning));
    }
    response
}

/// What the client is told when something cannot be had through the mirror; `unknown` is what is said when it does not exist.
pub(super) fn refusal(mirror: &Mirror, error: mirror::Error, unknown: repository::Error) -> Error {
    use crate::upstream::Error as Upstream;
    let upstream = mirror.upstream();
    let unavailable =
        |told: String| Error::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, told);
    match error {
        mirror::Error::NotFound => unknown.into(),
        mirror::Error::RangeNotSatisfiable { size } => repository::Error::RangeNotSatisfiable { size }.into(),
        mirror::Error::Offline => {
            let told = format!("this is not stored here, and the mirror of {upstream} is offline");
            Error::new(StatusCode::NOT_FOUND, Error::from(unknown).code, told)
        }
        mirror::Error::RateLimited { retry_after } => {
            let told = format!("{upstream} was asked too often: try again later");
            let error = Error::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, told);
            match retry_after {
                Some(wait) => error.with_header(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1)),
                None => error,
            }
        }
        mirror::Error::Upstream(Upstream::Unauthorized { .. } | Upstream::Denied { .. }) => {
            let told = format!(
                "{upstream} does not let this mirror have it, or does not have it: see mirrors in the configuration"
            );
            Error::new(StatusCode::FORBIDDEN, ErrorCode::Denied, told)
        }
        mirror::Error::Upstream(error) => {
            let is_temporary = error.is_temporary();
            let answer = unavailable(format!("{upstream} does not answer as it should"));
            let answer = Error { cause: Some(Arc::new(error)), ..answer };
            if is_temporary { answer.with_header(RETRY_AFTER, HeaderValue::from_static("5")) } else { answer }
        }
        mirror::Error::Storage(error) => match &*error {
            repository::Error::DigestMismatch { .. } => {
                Error { cause: Some(error), ..unavailable(format!("{upstream} has sent something else")) }
            }
            _ => Error {
                cause: Some(error),
                ..unavailable(ErrorCode::Unavailable.default_message().to_owned())
            },
        },
    }
}

/// The manifest that a client of the mirror gets, when it has been brought, and whether it is what upstream has.
pub(super) async fn find(
    mirror: &Arc<Mirror>,
    repository: &Repository,
    reference: &Reference,
    accepted: &Accepted,
    is_head: bool,
) -> Result<(StoredManifest, Freshly)> {
    let mut is_second = false;
    loop {
        let freshly = match bring(mirror, repository, reference).await? {
            Found::Passing(manifest) => return Ok((manifest, Freshly::Fresh)),
            Found::Stored(freshly) => freshly,
        };
        match find_brought(mirror, repository, reference, accepted, is_head).await {
            // The mirror has parted with it in between.
            Err(error) if error.code == ErrorCode::ManifestUnknown && !is_second => is_second = true,
            found => return Ok((found?, freshly)),
        }
    }
}

async fn find_brought(
    mirror: &Mirror,
    repository: &Repository,
    reference: &Reference,
    accepted: &Accepted,
    is_head: bool,
) -> Result<StoredManifest> {
    let found = repository.manifests().get(reference).await?;
    if let Some(image) = negotiate::image_instead(reference, accepted, &found) {
        bring(mirror, repository, &image.into()).await?;
    }
    let manifest = manifests::find_stored(repository, reference, accepted, is_head).await?;
    mirror.note_served_manifest(manifest.bytes.len() as u64);
    Ok(manifest)
}

async fn bring(mirror: &Mirror, repository: &Repository, reference: &Reference) -> Result<Found> {
    let brought = mirror.bring(repository, reference).await;
    brought.map_err(|error| refusal(mirror, error, repository::Error::ManifestUnknown(reference.clone())))
}

/// Whether an answer that is ready may be given without asking upstream.
pub(super) fn holds(mirrors: &Mirrors, repository: &Repository, reference: &Reference) -> bool {
    match (mirrors.of(repository.name()), reference) {
        (Some(mirror), Reference::Tag(tag)) => mirror.is_fresh(repository, tag),
        _ => true,
    }
}

/// Counts a manifest that is given without a question.
pub(super) fn note_manifest(mirrors: &Mirrors, repository: &Repository, length: u64) {
    if let Some(mirror) = mirrors.of(repository.name()) {
        mirror.note_stored_manifest(length);
    }
}

/// Counts a blob, or the part of it, that is given as it is stored.
pub(super) fn note_blob(mirrors: &Mirrors, repository: &Repository, blob: &BlobContent) {
    if let Some(mirror) = mirrors.of(repository.name()) {
        mirror.note_stored_blob(blob.range.as_ref().map_or(blob.size, |part| part.end() - part.start() + 1));
    }
}

/// What is known about a blob, here or at the upstream.
pub(super) async fn head_blob(
    mirrors: &Mirrors,
    repository: &Repository,
    digest: &Digest,
) -> Result<BlobInfo> {
    match mirrors.of(repository.name()) {
        None => Ok(repository.blobs().head(digest).await?),
        Some(mirror) => {
            let blob = mirror.head_blob(repository, digest).await;
            blob.map_err(|error| refusal(&mirror, error, repository::Error::BlobUnknown(*digest)))
        }
    }
}

/// The URL of a blob in the storage, if it is there by now.
pub(super) async fn presign(
    mirrors: &Mirrors,
    repository: &Repository,
    digest: &Digest,
    lifetime: Duration,
) -> Result<Option<PresignedBlob>> {
    match repository.blobs().presign(digest, lifetime).await {
        Err(repository::Error::BlobUnknown(_)) if mirrors.of(repository.name()).is_some() => Ok(None),
        presigned => Ok(presigned?),
    }
}

/// A blob, from here or from the upstream.
pub(super) async fn open_blob(
    mirrors: &Mirrors,
    repository: &Repository,
    digest: &Digest,
    range: Option<ByteRange>,
) -> Result<BlobContent> {
    let stored = repository.blobs().open(digest, range).await;
    let Some(mirror) = mirrors.of(repository.name()) else { return Ok(stored?) };
    match stored {
        Ok(blob) => {
            note_blob(mirrors, repository, &blob);
            Ok(blob)
        }
        Err(unknown @ repository::Error::BlobUnknown(_)) => {
            let blob = mirror.open_blob(repository, digest, range).await;
            blob.map_err(|error| refusal(&mirror, error, unknown))
        }
        Err(error) => Err(error.into()),
    }
}

/// The tags of the repository, as upstream tells them where it is asked.
pub(super) async fn tags(mirrors: &Mirrors, repository: &Repository, page: &Page) -> Result<TagNames> {
    if let Some(mirror) = mirrors.of(repository.name()) {
        let unknown = repository::Error::NameUnknown(repository.name().clone());
        let tags = mirror.tags(repository).await.map_err(|error| refusal(&mirror, error, unknown))?;
        if let Some(tags) = tags {
            return Ok(Listing::of_all(tags, page).into());
        }
    }
    Ok(repository.tags().names(page).await?)
}

/// Fetches what refers to a manifest, before it is listed.
pub(super) async fn bring_referrers(mirrors: &Mirrors, repository: &Repository, subject: &Digest) {
    if let Some(mirror) = mirrors.of(repository.name()) {
        mirror.bring_referrers(repository, subject).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_that_is_meant_stands_in_the_query() {
        assert_eq!(namespace("n=1&ns=registry.k8s.io").as_deref(), Some("registry.k8s.io"));
        assert_eq!(namespace("ns=hub%3A5000").as_deref(), Some("hub:5000"));
        assert_eq!(namespace("nsx=a"), None);
    }
}
