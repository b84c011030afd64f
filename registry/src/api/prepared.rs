//! Answers to the pulls of manifests that are asked for again and again, ready but for what differs from client to client.
//!
//! One is given only while the storage says, at that moment, that the reference still leads to the manifest. Who may have it
//! is asked each time.

use std::sync::Arc;

use axum::{
    body::Body,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use berth_oci::{Reference, RepositoryName};
use quick_cache::{Weighter, sync::Cache};

use super::{
    authorize::Pull,
    extract::Known,
    negotiate::Accepted,
    respond::{ManifestBody, NotModified},
};
use crate::repository::{Repository, Standing, StoredManifest};

/// How much is kept ready, in bytes.
const CAPACITY: u64 = 2 * 1024 * 1024;

/// What one takes beside the bytes of its manifest. It is rounded up, since each keeps a folder open: there are 256 at most.
const OVERHEAD: u64 = 8 * 1024;

/// The answers, by the paths of the requests.
#[derive(Debug)]
pub(super) struct PreparedAnswers(Cache<Box<str>, Arc<Prepared>, ByLength>);

/// An answer that is ready.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) name: RepositoryName,
    pub(super) reference: Reference,
    pub(super) manifest: StoredManifest,
    headers: HeaderMap,
    standing: Standing,
}

#[derive(Clone, Debug)]
struct ByLength;

impl Weighter<Box<str>, Arc<Prepared>> for ByLength {
    fn weight(&self, _: &Box<str>, prepared: &Arc<Prepared>) -> u64 {
        OVERHEAD + prepared.manifest.bytes.len() as u64
    }
}

impl Default for PreparedAnswers {
    fn default() -> Self {
        Self(Cache::with_weighter(256, CAPACITY, ByLength))
    }
}

impl PreparedAnswers {
    /// The answer to requests of this path, which may hold no longer.
    pub(super) fn at(&self, path: &str) -> Option<Arc<Prepared>> {
        self.0.get(path)
    }

    /// Keeps the answer with a manifest ready that was found just now. That it cannot be kept harms nobody.
    pub(super) async fn keep(
        &self,
        path: &str,
        repository: &Repository,
        reference: Reference,
        manifest: &StoredManifest,
    ) {
        let standing = repository.manifests().standing(&reference, manifest).await;
        let Ok(Some(standing)) = standing else {
            self.0.remove(path);
            return;
        };
        let (name, manifest) = (repository.name().clone(), manifest.clone());
        let headers = ManifestBody(manifest.clone()).into_response().into_parts().0.headers;
        let prepared = Prepared { name, reference, manifest, headers, standing };
        self.0.insert(path.into(), Arc::new(prepared));
    }
}

impl Prepared {
    /// Whether it is the answer to a request with these headers, whose client will rely on the manifest if it is a `HEAD`. Notes
    /// the pull then.
    pub(super) fn serves(&self, Pull(repository): &Pull, is_head: bool, headers: &HeaderMap) -> bool {
        let serves = Accepted::of(headers).names(&self.manifest)
            && if is_head { self.standing.can_be_relied_on() } else { self.standing.holds() };
        if serves {
            repository.note_pull(&self.reference);
        }
        serves
    }

    /// The answer to a client that has what is known.
    pub(super) fn answer(&self, known: &Known) -> Response {
        if known.contains(&self.manifest.digest) {
            return NotModified(self.manifest.digest).into_response();
        }
        let mut response = Response::new(Body::from(self.manifest.bytes.clone()));
        *response.headers_mut() = self.headers.clone();
        response
    }
}
