//! How far a copy is, and what became of it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

/// How far a copy is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Images that were found so far.
    pub images: u64,
    /// Images whose tag was set, or that were not there by their digest.
    pub copied: u64,
    /// Images that were there as they are.
    pub unchanged: u64,
    /// Manifests that were sent: of images, of the images of indexes, and of what refers to them.
    pub manifests: u64,
    /// Blobs that were sent.
    pub blobs: u64,
    /// Blobs that the destination took over from another of its repositories.
    pub mounted: u64,
    /// Bytes of the blobs that were sent.
    pub bytes: u64,
}

/// What became of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was done.
    #[serde(flatten)]
    pub done: Progress,
    /// Which images were copied, or would have been, by their names in the source.
    #[serde(rename = "copiedImages")]
    pub copied: Vec<String>,
    /// What was not.
    pub failed: Vec<Failure>,
}

/// An image, or a repository, that was not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its name in the source.
    pub image: String,
    /// Why.
    pub reason: String,
}

/// Counts while a copy goes on.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) images: Counter,
    copied: Counter,
    pub(super) unchanged: Counter,
    pub(super) manifests: Counter,
    pub(super) blobs: Counter,
    pub(super) mounted: Counter,
    pub(super) bytes: Counter,
    copied_images: Mutex<Vec<String>>,
    failed: Mutex<Vec<Failure>>,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn copy(&self, image: String) {
        self.copied.add(1);
        self.copied_images.lock().unwrap_or_else(PoisonError::into_inner).push(image);
    }

    pub(super) fn fail(&self, image: String, reason: String) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(Failure { image, reason });
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            images: self.images.get(),
            copied: self.copied.get(),
            unchanged: self.unchanged.get(),
            manifests: self.manifests.get(),
            blobs: self.blobs.get(),
            mounted: self.mounted.get(),
            bytes: self.bytes.get(),
        }
    }

    pub(super) fn report(&self) -> Report {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failed.sort_by(|one, other| one.image.cmp(&other.image));
        let mut copied = self.copied_images.lock().unwrap_or_else(PoisonError::into_inner).clone();
        copied.sort();
        Report { done: self.progress(), copied, failed }
    }
}
