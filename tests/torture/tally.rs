//! What has happened, in numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Something that is counted.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All that is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) pushed: Count,
    pub(crate) uploads: Count,
    pub(crate) mounts: Count,
    pub(crate) skipped: Count,
    /// Pushes that were told that a layer is missing, after a time in which nothing had been promised any more.
    pub(crate) late: Count,
    pub(crate) deleted_tags: Count,
    pub(crate) verified: Count,
    pub(crate) collections: Count,
    pub(crate) refused_collections: Count,
    /// Kills of a server that was deleting garbage.
    pub(crate) killed_while_deleting: Count,
    pub(crate) quarantined: Count,
    pub(crate) rescued: Count,
    pub(crate) deleted_manifests: Count,
    pub(crate) deleted_blobs: Count,
    lost: Mutex<Vec<String>>,
}

impl Tally {
    /// Something that was acknowledged is not there.
    pub(crate) fn lose(&self, what: String) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(crate) fn losses(&self) -> Vec<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether writers and collectors have met at all.
    pub(crate) fn is_worth_something(&self) -> bool {
        self.pushed.get() > 0 && self.rescued.get() > 0 && self.deleted_blobs.get() > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pushes {} (layers uploaded {}, mounted {}, skipped {}; repeated after a missed deadline {}), \
             tags deleted {}, verifications {}, collections {} (refused {}, killed while deleting {}): quarantined {}, rescued {}, \
             deleted {} manifests and {} blobs; losses {}",
            self.pushed.get(),
            self.uploads.get(),
            self.mounts.get(),
            self.skipped.get(),
            self.late.get(),
            self.deleted_tags.get(),
            self.verified.get(),
            self.collections.get(),
            self.refused_collections.get(),
            self.killed_while_deleting.get(),
            self.quarantined.get(),
            self.rescued.get(),
            self.deleted_manifests.get(),
            self.deleted_blobs.get(),
            self.losses().len(),
        )
    }
}
