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
use crate::repository::{Repository, StoredManifest};

/// How much is kept ready, in bytes.
const CAPACITY: u64 = 2 * 1024 * 1024;

/// What a folder that is kept open counts as, in bytes: so there are 256 of them at most.
const FOLDER: u64 = 8 * 1024;

/// How many headers are added to an answer: the part of a blob, a date, and some that are configured.
const ADDED_LATER: usize = 8;

/// Among how many other blobs one must be asked for again to be kept ready: as many as there can be. To look for its witnesses
/// takes longer than to pull a small blob without them, so nobody does for one that is asked for once.
const ASKED_LATELY: usize = 128;

/// The answers, by the paths of the requests.
#[derive(Debug)]
pub(super) struct PreparedAnswers {
    ready: Cache<Box<str>, Arc<Prepared>, ByWeight>,
    /// The blobs that were asked for lately.
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
            Content::Manifest(manifest) => FOLDER + manifest.length(),
            Content::Blob(_) => 2 * FOLDER,
        }
    }
}

impl Default for PreparedAnswers {
    fn default() -> Self {
        let ready = Cache::with_weighter(256, CAPACITY, ByWeight);
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
        let standing = repository.manifests().standing(&reference, manifest).await.ok().flatten();
        let prepared = standing.map(|standing| PreparedManifest::new(reference, manifest.clone(), standing));
        self.keep(path, repository, prepared.map(Content::Manifest));
    }

    /// The same with a blob, if it was asked for before.
    pub(super) async fn keep_blob(&self, path: &str, repository: &Repository, digest: &Digest) {
        if self.asked.get(path).is_none() {
            return self.asked.insert(path.into(), ());
        }
        let standing = repository.blobs().standing(digest).await.ok().flatten();
        self.keep(path, repository, standing.map(PreparedBlob::new).map(Content::Blob));
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

/// Makes room in the headers of an answer for those that are added to every copy, so that no copy has to grow for them. A copy has the
/// table of the original, and room for as many values as there are: so the id, which every copy has another of, is there as well.
fn make_ready(headers: &mut HeaderMap) {
    headers.insert(API_VERSION.0, API_VERSION.1);
    headers.insert(REQUEST_ID, HeaderValue::from_static(""));
    headers.reserve(ADDED_LATER);
}

impl Prepared {
    /// The answer to a request of somebody who may have it; `None` when it is not the right one now.
    pub(super) fn answer(&self, api: &Api, pull: &Pull, request: &Parts) -> Option<Response> {
        match &self.content {
            Content::Manifest(manifest) => manifest.answer(api, pull, request),
            Content::Blob(blob) => blob.answer(api, pull, request),
        }
    }
}
