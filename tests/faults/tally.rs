//! What has happened, in numbers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Requests that were answered as if nothing had gone wrong.
    pub(crate) answered: Count,
    /// Requests that were answered with 503.
    pub(crate) unavailable: Count,
    /// Bodies that were seen to be cut.
    pub(crate) cut: Count,
    pub(crate) blobs: Count,
    pub(crate) bytes: Count,
    /// Uploads that went on after a failure.
    pub(crate) continued: Count,
    pub(crate) mounts: Count,
    pub(crate) manifests: Count,
    pub(crate) swaps: Count,
    pub(crate) deletions: Count,
    pub(crate) lists: Count,
    /// Looks at what must be there, or must not.
    pub(crate) checks: Count,
}

impl Tally {
    /// Whether everything has happened at least once.
    pub(crate) fn is_worth_something(&self) -> bool {
        let all = [&self.blobs, &self.manifests, &self.deletions, &self.unavailable, &self.checks];
        all.iter().all(|count| count.get() > 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests answered, {} with 503, {} bodies cut; {} blobs of {} MiB ({} continued after a failure), \
             {} mounts, {} manifests, {} swaps, {} deletions, {} lists, {} checks; losses 0",
            self.answered.get(),
            self.unavailable.get(),
            self.cut.get(),
            self.blobs.get(),
            self.bytes.get() >> 20,
            self.continued.get(),
            self.mounts.get(),
            self.manifests.get(),
            self.swaps.get(),
            self.deletions.get(),
            self.lists.get(),
            self.checks.get(),
        )
    }
}
