//! How much is announced and deleted at a time.
//!
//! An announcement costs two flushes of the disk, and so should be for much. Whoever is about to rely on something that it
//! names waits for the whole of it, and so it should be over in a moment. How much that is, the storage shows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How much is deleted before anything is known of the storage.
const FIRST: usize = 256;

/// The most that is announced: whoever waits reads all of it again and again.
const MOST: usize = 2048;

/// The least, however slow the storage is.
const LEAST: usize = 64;

/// Within this time nobody minds waiting.
const MOMENT: Duration = Duration::from_millis(250);

/// Nobody should wait for longer.
const LONG: Duration = Duration::from_secs(1);

/// How much is deleted at a time.
#[derive(Debug)]
pub(super) struct Pace(AtomicUsize);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicUsize::new(FIRST))
    }
}

impl Pace {
    /// How much to announce now.
    pub(super) fn batch(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Learns that this much took so long.
    pub(super) fn note(&self, length: usize, took: Duration) {
        self.0.store(next(self.batch(), length, took), Ordering::Relaxed);
    }
}

fn next(batch: usize, length: usize, took: Duration) -> usize {
    match took {
        _ if took > LONG => (batch / 2).max(LEAST),
        // The last ones of a folder are few, and tell nothing.
        _ if took < MOMENT && length >= batch => (batch * 2).min(MOST),
        _ => batch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_announced_while_it_is_done_in_a_moment_and_less_when_it_takes_long() {
        let pace = Pace::default();
        let mut announced = Vec::new();
        for milliseconds in [10, 200, 300, 100, 100, 1100, 1000, 5000, 5000, 5000, 5000] {
            let batch = pace.batch();
            announced.push(batch);
            pace.note(batch, Duration::from_millis(milliseconds));
        }
        assert_eq!(announced, [256, 512, 1024, 1024, 2048, 2048, 1024, 1024, 512, 256, 128]);
        assert_eq!(pace.batch(), LEAST);
    }

    #[test]
    fn a_batch_that_is_not_full_tells_nothing_of_larger_ones() {
        assert_eq!(next(512, 511, Duration::ZERO), 512);
    }
}
