//! Bodies that are hashed while they pass by.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_storage::ByteStream;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::repository::hasher::Hasher;

/// The hash of an upload while a body is added to it. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Hashing(Arc<Mutex<Progress>>);

#[derive(Debug, Clone)]
struct Progress {
    hasher: Hasher,
    /// How many bytes of the body may still come; `None` when nobody said.
    expected: Option<u64>,
    hashed: u64,
    is_too_long: bool,
}

impl Hashing {
    /// Goes on from `hasher` with a body of `expected` bytes.
    pub(super) fn new(hasher: Hasher, expected: Option<u64>) -> Self {
        Self(Arc::new(Mutex::new(Progress { hasher, expected, hashed: 0, is_too_long: false })))
    }

    /// The same body, which breaks off when it is longer than expected.
    pub(super) fn pass(&self, body: ByteStream) -> ByteStream {
        let hashing = self.clone();
        body.and_then(move |chunk| std::future::ready(hashing.progress().take_in(&chunk).map(|()| chunk)))
            .boxed()
    }

    /// The hash of everything, when exactly `kept` bytes of the body were kept.
    pub(super) fn hasher(&self, kept: u64) -> Option<Hasher> {
        let progress = self.progress();
        (progress.hashed == kept).then(|| progress.hasher.clone())
    }

    /// Whether the body broke off because it was too long.
    pub(super) fn is_too_long(&self) -> bool {
        self.progress().is_too_long
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn take_in(&mut self, chunk: &[u8]) -> io::Result<()> {
        let hashed = self.hashed + chunk.len() as u64;
        if self.expected.is_some_and(|expected| hashed > expected) {
            self.is_too_long = true;
            return Err(io::Error::other("the body is longer than its range"));
        }
        self.hashed = hashed;
        self.hasher.update(chunk);
        Ok(())
    }
}
