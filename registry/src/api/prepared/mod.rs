//! Answers to the pulls that are asked for again and again, ready but for what differs from client to client.
//!
//! One is given only while the storage says, at that moment, that it is still true. Who may have it is asked each time. Whatever
//! is not quite usual is left to those who ask the storage: that a right is missing, that there is no such range.

mod blob;
mod manifest;

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, request::Parts},
    response::Response,
};
use berth_oci::{Digest, Reference, RepositoryName};
use quick_cache::{Weighter, sync::Cache};

use self::{blob::PreparedBlob, manifest::PreparedManifest};
use super::{
    Api,
    authorize::Pull,
    respond::{API_VERSION, REQUEST_ID},
};
use crate::{
    repository::{Repository, StoredManifest},
    server::{Arrival, open_files},
};

/// How much is kept ready, in bytes: the answers with 3,000 small manifests, or with 2,000 blobs.
const CAPACITY: u64 = 10 * 1024 * 1024;

/// What an answer takes, beside the bytes of a manifest. That with a blob has a witness more.
const OF_MANIFEST: u64 = 2560;
const OF_BLOB: u64 = 5120;

/// How many answers are expected, none of which takes memory before it comes.
const EXPECTED: usize = 1024;

/// Which part of the files that may be open is for witnesses, of which a manifest has one and a blob two.
const OF_OPEN_FILES: u64 = 8;

/// How many headers are added to an answer: the part of a blob, or one that is configured.
const ADDED_LATER: usize = 2;

/// Among how many others something must be asked for again to be kept ready. To look for its witnesses takes longer than to pull it
/// without them, so nobody does for a blob that is asked for once, nor for a manifest when there is no room but that of others.
const ASKED_LATELY: usize = 256;

/// The answers, by the paths of the requests.
#[derive(Debug)]
pub(super) struct PreparedAnswers {
    ready: Cache<Box<str>, Arc<Prepared>, ByWeight>,
    /// What was asked for lately.
    asked: Cache<Box<str>, ()>,
}

/// An answer that is ready.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) name: RepositoryName,
    pub(super) content: Content,
}

/// What it is an answer with.
#[derive(Debug)]
pub(super) enum Content {
    Manifest(PreparedManifest),
    Blob(PreparedBlob),
}

#[derive(Clone, Debug)]
struct ByWeight;

impl Weighter<Box<str>, Arc<Prepared>> for ByWeight {
    fn weight(&self, _: &Box<str>, prepared: &Arc<Prepared>) -> u64 {
        match &prepared.content {
            Content::Manifest(manifest) => OF_MANIFEST + manifest.length(),
            Content::Blob(_) => OF_BLOB,
        }
    }
}

impl Default for PreparedAnswers {
    fn default() -> Self {
        let witnesses = open_files() / OF_OPEN_FILES;
        let capacity = CAPACITY.min(witnesses.saturating_mul(OF_MANIFEST));
        let ready = Cache::with_weighter(EXPECTED, capacity, ByWeight);
        Self { ready, asked: Cache::new(ASKED_LATELY) }
    }
}

impl PreparedAnswers {
    /// The answer to requests of this path, which may hold no longer.
    pub(super) fn at(&self, path: &str) -> Option<Arc<Prepared>> {
        self.ready.get(path)
    }

    /// Keeps the answer with a manifest ready that was found just now. That it cannot be kept harms nobody.
    pub(super) async fn keep_manifest(
        &self,
        path: &str,
        repository: &Repository,
        reference: Reference,
        manifest: &StoredManifest,
    ) {
        let has_room = self.ready.weight() + 2 * OF_MANIFEST < self.ready.capacity();
        if !has_room && !self.was_asked_for(path) {
            return;
        }
        let standing = repository.manifests().standing(&reference, manifest).await.ok().flatten();
        let prepared = standing.map(|standing| PreparedManifest::new(reference, manifest.clone(), standing));
        self.keep(path, repository, prepared.map(Content::Manifest));
    }

    /// The same with a blob, if it was asked for before.
    pub(super) async fn keep_blob(&self, path: &str, repository: &Repository, digest: &Digest) {
        if !self.was_asked_for(path) {
            return;
        }
        let standing = repository.blobs().standing(digest).await.ok().flatten();
        self.keep(path, repository, standing.map(PreparedBlob::new).map(Content::Blob));
    }

    /// Whether this was asked for before, not long ago. Notes that it is asked for now.
    fn was_asked_for(&self, path: &str) -> bool {
        let was = self.asked.get(path).is_some();
        if !was {
            self.asked.insert(path.into(), ());
        }
        was
    }

    fn keep(&self, path: &str, repository: &Repository, content: Option<Content>) {
        match content {
            None => drop(self.ready.remove(path)),
            Some(content) => {
                let prepared = Prepared { name: repository.name().clone(), content };
                self.ready.insert(path.into(), Arc::new(prepared));
            }
        }
    }
}

/// Makes headers ready to be copied. A copy has the table of the original, which must not have to grow for what is added, and room for as
/// many values as there are: so there are the version and the id, too, of which every copy has another. They are the first, where they
/// are found first.
fn made_ready(headers: HeaderMap) -> HeaderMap {
    let mut ready = HeaderMap::with_capacity(headers.len() + 2 + ADDED_LATER);
    ready.insert(API_VERSION.0, API_VERSION.1);
    ready.insert(REQUEST_ID, HeaderValue::from_static(""));
    ready.extend(headers);
    // There may be thousands of them, and a copy takes no more memory than it needs.
    ready.clone()
}

impl Prepared {
    /// The answer to a request of somebody who may have it; `None` when it is not the right one now.
    pub(super) fn answer(
        &self,
        api: &Api,
        pull: &Pull,
        request: &Parts,
        arrival: Arrival<'_>,
    ) -> Option<Response> {
        match &self.content {
            Content::Manifest(manifest) => manifest.answer(api, pull, request),
            Content::Blob(blob) => blob.answer(api, pull, request, arrival),
        }
    }
}
