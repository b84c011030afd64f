//! Bodies that are hashed while they pass by.
//!
//! What has come in is hashed by another thread while the next bytes arrive and the store writes: hashing takes longer than
//! either. What is little is hashed on the spot, which costs less than to hand it over.

use std::io;
use std::mem;
use std::sync::Arc;

use berth_storage::ByteStream;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::Mutex;
use tokio::task::{self, JoinHandle};

use crate::repository::hasher::Hasher;

/// How much is handed over at once. While it is hashed, as much may arrive. Each way to the thread and back leaves a core idle for a
/// moment, so half of it would make a push slower by a fifteenth; twice of it is memory that a push does not need.
const BATCH: usize = 2 * 1024 * 1024;

/// How many chunks are handed over at once, so that tiny ones do not pile up.
const BATCH_CHUNKS: usize = 1024;

/// The hash of an upload while a body is added to it. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Hashing(Arc<Mutex<Progress>>);

#[derive(Debug)]
struct Progress {
    hash: Hash,
    /// What has arrived and is not being hashed yet.
    waiting: Vec<Bytes>,
    waiting_size: usize,
    /// How many bytes of the body may still come; `None` when nobody said.
    expected: Option<u64>,
    arrived: u64,
    is_too_long: bool,
}

#[derive(Debug)]
enum Hash {
    Resting(Box<Hasher>),
    Busy(JoinHandle<Box<Hasher>>),
    /// The thread that had it is gone.
    Lost,
}

impl Hashing {
    /// Goes on from `hasher` with a body of `expected` bytes.
    pub(super) fn new(hasher: Hasher, expected: Option<u64>) -> Self {
        let (hash, waiting) = (Hash::Resting(Box::new(hasher)), Vec::new());
        let progress = Progress { hash, waiting, waiting_size: 0, expected, arrived: 0, is_too_long: false };
        Self(Arc::new(Mutex::new(progress)))
    }

    /// The same body, which breaks off when it is longer than expected.
    pub(super) fn pass(&self, body: ByteStream) -> ByteStream {
        let progress = Arc::clone(&self.0);
        let passed = body.and_then(move |chunk| {
            let progress = Arc::clone(&progress);
            async move { progress.lock().await.take_in(&chunk).await.map(|()| chunk) }
        });
        passed.boxed()
    }

    /// The hash of everything, when exactly `kept` bytes of the body were kept.
    pub(super) async fn hasher(&self, kept: u64) -> Option<Hasher> {
        let mut progress = self.0.lock().await;
        if progress.arrived == kept { progress.finish().await } else { None }
    }

    /// Whether the body broke off because it was too long.
    pub(super) async fn is_too_long(&self) -> bool {
        self.0.lock().await.is_too_long
    }
}

impl Progress {
    async fn take_in(&mut self, chunk: &Bytes) -> io::Result<()> {
        let arrived = self.arrived + chunk.len() as u64;
        if self.expected.is_some_and(|expected| arrived > expected) {
            self.is_too_long = true;
            return Err(io::Error::other("the body is longer than its range"));
        }
        self.arrived = arrived;
        self.waiting_size += chunk.len();
        self.waiting.push(chunk.clone());
        if self.waiting_size >= BATCH || self.waiting.len() >= BATCH_CHUNKS {
            self.hand_over().await;
        }
        Ok(())
    }

    /// Has another thread hash what is waiting, as soon as it is done with what it got before.
    async fn hand_over(&mut self) {
        let (hasher, batch) = (self.settle().await, self.take_waiting());
        if let Some(mut hasher) = hasher {
            self.hash = Hash::Busy(task::spawn_blocking(move || {
                hasher.update_all(&batch);
                hasher
            }));
        }
    }

    /// The hash of everything that has arrived.
    async fn finish(&mut self) -> Option<Hasher> {
        let (hasher, rest) = (self.settle().await, self.take_waiting());
        let mut hasher = hasher?;
        hasher.update_all(&rest);
        self.hash = Hash::Resting(hasher.clone());
        Some(*hasher)
    }

    /// Waits until nothing is being hashed.
    async fn settle(&mut self) -> Option<Box<Hasher>> {
        match mem::replace(&mut self.hash, Hash::Lost) {
            Hash::Resting(hasher) => Some(hasher),
            Hash::Busy(hashing) => hashing.await.ok(),
            Hash::Lost => None,
        }
    }

    fn take_waiting(&mut self) -> Vec<Bytes> {
        self.waiting_size = 0;
        mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::Algorithm;
    use futures::stream;

    use super::*;
    use crate::repository::hasher::digest_of;

    fn body(length: usize, chunk: usize) -> (Bytes, ByteStream) {
        let bytes: Bytes = (0_u8..251).cycle().take(length).collect();
        let chunks: Vec<_> = bytes.chunks(chunk).map(|chunk| Ok(bytes.slice_ref(chunk))).collect();
        (bytes, stream::iter(chunks).boxed())
    }

    #[tokio::test]
    async fn bodies_of_any_length_and_in_chunks_of_any_length_are_hashed_whole() {
        for (length, chunk) in [(0, 1), (1, 1), (5000, 2), (BATCH, BATCH), (3 * BATCH + 7, 100_000)] {
            let (bytes, body) = body(length, chunk);
            let hashing = Hashing::new(Hasher::new(Algorithm::Sha256), Some(length as u64));
            let passed: Vec<_> = hashing.pass(body).try_collect().await.unwrap();
            assert_eq!(passed.concat(), bytes);
            let hasher = hashing.hasher(length as u64).await.unwrap();
            assert_eq!(hasher.finish(), digest_of(Algorithm::Sha256, &bytes), "{length} in {chunk}");
        }
    }

    #[tokio::test]
    async fn a_hash_of_more_than_was_kept_is_of_no_use() {
        let (_, body) = body(10, 5);
        let hashing = Hashing::new(Hasher::new(Algorithm::Sha256), None);
        hashing.pass(body).try_collect::<Vec<_>>().await.unwrap();
        assert!(hashing.hasher(9).await.is_none());
        assert!(hashing.hasher(10).await.is_some());
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_breaks_off() {
        let (_, body) = body(10, 5);
        let hashing = Hashing::new(Hasher::new(Algorithm::Sha256), Some(9));
        hashing.pass(body).try_collect::<Vec<_>>().await.unwrap_err();
        assert!(hashing.is_too_long().await);
    }
}
