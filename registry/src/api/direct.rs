//! The requests that nearly all traffic consists of: is this a registry, and pulls. They go straight to their handlers.
//!
//! The router would lead them to the same place, for as much again as the answer itself costs. Whatever is not quite usual
//! about a request is left to the router: a name or digest that cannot be read as it stands, or an answer of which notifications
//! tell.

use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::State,
    http::{Method, header::CONTENT_LENGTH, request::Parts},
    response::{IntoResponse, Response},
};
use berth_oci::{Digest, Reference, RepositoryName};
use hyper::header::HeaderValue;

use super::{
    Api,
    authenticate::identify,
    authorize::{Pull, permit},
    blobs,
    challenge::Challenge,
    error::{Error, Result},
    exchange::Exchange,
    extract::{InPath, Known, Wanted},
    fold_name::name_in,
    health, manifests, mirrored,
    negotiate::Accepted,
    redirect::Redirection,
    respond::Version,
};
use crate::{
    auth::{Action, Identity},
    metrics::Handler,
    repository::Repository,
    server::Files,
};

/// The handlers of such requests in the metrics, and their lines of the route table.
pub(super) const VERSION: (Handler, &str) = (Handler::Base, "/v2/");
pub(super) const MANIFEST: (Handler, &str) = (Handler::Manifest, "/v2/{name}/manifests/{reference}");
pub(super) const BLOB: (Handler, &str) = (Handler::Blob, "/v2/{name}/blobs/{digest}");

/// What such a request asks for.
#[derive(Debug)]
pub(super) enum Endpoint {
    /// `/v2/`
    Version,
    /// `/v2/<name>/manifests/<reference>`
    Manifest(RepositoryName, Reference),
    /// `/v2/<name>/blobs/<digest>`
    Blob(RepositoryName, Digest),
}

impl Endpoint {
    /// What a pull asks for; `None` when the router has to find out.
    pub(super) fn of(api: &Api, request: &Parts) -> Option<Self> {
        if is_pull(api, request) { Self::at(request.uri.path()) } else { None }
    }

    fn at(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v2/")?;
        if rest.is_empty() {
            return Some(Self::Version);
        }
        let (before, last) = rest.rsplit_once('/')?;
        if let Some(name) = before.strip_suffix("/manifests") {
            return Some(Self::Manifest(name.parse().ok()?, last.parse().ok()?));
        }
        let name = before.strip_suffix("/blobs")?;
        Some(Self::Blob(name.parse().ok()?, last.parse().ok()?))
    }

    /// The line of the route table that leads there, and its name in the metrics.
    fn route(&self) -> (Handler, &'static str) {
        match self {
            Self::Version => VERSION,
            Self::Manifest(..) => MANIFEST,
            Self::Blob(..) => BLOB,
        }
    }

    /// The answer, for whoever may have it.
    pub(super) async fn answer(self, api: &Api, parts: &Parts, exchange: &mut Exchange) -> Result<Response> {
        let (handler, route) = self.route();
        exchange.found(api, handler, route);
        health::require_wellness(api)?;
        let identity = identify(api, parts).await?;
        exchange.identify(&identity);
        let answered = self.pull(api, &identity, parts).await.unwrap_or_else(Error::into_response);
        let answered = match Challenge::to_bearer(api, &identity, parts) {
            Some(challenge) => challenge.complete(answered),
            None => answered,
        };
        Ok(as_asked(parts, answered))
    }

    async fn pull(self, api: &Api, identity: &Identity, parts: &Parts) -> Result<Response> {
        let permit = |name: &RepositoryName| permit(api, identity, name, &[Action::Pull]).map(Pull);
        match self {
            Self::Version => Ok(Version.into_response()),
            Self::Manifest(name, reference) => pull_manifest(api, permit(&name)?, reference, parts).await,
            Self::Blob(name, digest) => pull_blob(api, permit(&name)?, digest, parts).await,
        }
    }
}

/// Whether it may be a pull, of which nobody else is told.
pub(super) fn is_pull(api: &Api, request: &Parts) -> bool {
    matches!(request.method, Method::GET | Method::HEAD) && !api.notifications.are_sent()
}

/// Finds the blob, and keeps the answer ready for the next time.
async fn pull_blob(api: &Api, pull: Pull, digest: Digest, parts: &Parts) -> Result<Response> {
    let (repository, known) = (pull.0.clone(), Known::of(&parts.headers));
    let answered = if parts.method == Method::HEAD {
        blobs::head(pull, State(api.clone()), InPath(digest), known).await?
    } else {
        let (wanted, redirection) = (
            Wanted::of_request(&parts.headers),
            Redirection::of(api, &parts.headers, parts.extensions.get()),
        );
        let files = parts.extensions.get::<Files>().cloned().map(Extension);
        blobs::pull(pull, State(api.clone()), InPath(digest), known, wanted, redirection, files).await?
    };
    if is_stored_so(&repository, parts) {
        api.prepared.keep_blob(parts.uri.path(), &repository, &digest).await;
    }
    Ok(answered)
}

/// Finds the manifest, and keeps the answer ready for the next time.
async fn pull_manifest(
    api: &Api,
    Pull(repository): Pull,
    reference: Reference,
    parts: &Parts,
) -> Result<Response> {
    let (is_head, accepted) = (parts.method == Method::HEAD, Accepted::of(&parts.headers));
    let (manifest, freshly) = manifests::find(api, &repository, &reference, &accepted, is_head).await?;
    if is_stored_so(&repository, parts) {
        api.prepared.keep_manifest(parts.uri.path(), &repository, reference, &manifest).await;
    }
    Ok(mirrored::warn(manifests::unless_known(manifest, &Known::of(&parts.headers)), freshly))
}

/// Whether the path has the name under which the repository is stored: under a shorter one, other rights would count.
fn is_stored_so(repository: &Repository, request: &Parts) -> bool {
    name_in(request.uri.path()) == Some(repository.name().as_str())
}

/// The answer as the method wants it: to `HEAD`, the length is told, and the body left out.
pub(super) fn as_asked(request: &Parts, mut response: Response) -> Response {
    if request.method != Method::HEAD {
        return response;
    }
    if let Some(length) = response.body().size_hint().exact().filter(|length| *length > 0) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    response.map(|_| Body::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    fn name_at(path: &str) -> Option<String> {
        match Endpoint::at(path)? {
            Endpoint::Version => None,
            Endpoint::Manifest(name, _) | Endpoint::Blob(name, _) => Some(name.to_string()),
        }
    }

    #[test]
    fn what_goes_straight_to_its_handler_is_what_the_router_would_find() {
        for words in ["a", "a/b", "manifests", "a/blobs/uploads", "tags/list", "a/manifests/b", "blobs/blobs"]
        {
            for end in
                ["manifests/latest".to_owned(), format!("manifests/{DIGEST}"), format!("blobs/{DIGEST}")]
            {
                let path = format!("/v2/{words}/{end}");
                assert_eq!(name_at(&path).as_deref(), Some(words));
                assert_eq!(name_in(&path), Some(words));
            }
        }
    }

    #[test]
    fn what_cannot_be_read_as_it_stands_is_left_to_the_router() {
        for path in [
            "/v2",
            "/v2/_catalog",
            "/v2/a/tags/list",
            "/v2/a/blobs/uploads/",
            "/v2/a/blobs/latest",
            "/v2/A/manifests/latest",
            "/v2/a%2Fb/manifests/latest",
            "/v2/a/_berth/manifests/latest",
            "/v2/a/manifests/%6Catest",
            "/v2/manifests/latest",
            "//v2/a/manifests/latest",
            "/livez",
        ] {
            assert!(Endpoint::at(path).is_none(), "{path}");
        }
    }
}
