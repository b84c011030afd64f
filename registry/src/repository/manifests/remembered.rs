//! Manifests that this process has read, so that a pull of what is pulled all the time asks the storage for little, and
//! a storage that is far away for nothing.
//!
//! The bytes under a digest never change. What changes is whether a repository has them:
//!
//! - *Found by a tag*, which is read each time: where the tag is, its manifest is, so the bytes are taken from memory,
//!   however long ago they were read.
//! - *Found by digest*: the repository is asked, unless it has answered just now. How long ago that may be is up to the
//!   [patience](berth_storage::ObjectStore::patience) of the storage, which a disk does not have. An answer from before
//!   another list was put in force in the quarantine does not count, since manifests may have been deleted with it.

use std::sync::Arc;

use berth_oci::{Digest, Manifest, RepositoryName};
use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};
use tokio::time::Instant;

use super::StoredManifest;

/// How much is remembered, in bytes.
const CAPACITY: u64 = 8 * 1024 * 1024;

/// The longest manifest that is remembered, in bytes: one does not drive out all others.
const LONGEST: usize = 512 * 1024;

/// What a manifest takes beside its bytes, about.
const OVERHEAD: usize = 512;

type Name = (RepositoryName, Digest);

/// The manifests, the least useful of which are forgotten.
#[derive(Debug)]
pub(in crate::repository) struct Remembered(Cache<Name, Arc<Memory>, ByLength>);

/// What was read, and when.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) manifest: StoredManifest,
    /// Whether its bytes say of which type it is, so that nothing else does.
    pub(super) says_its_type: bool,
    pub(super) read: Moment,
}

/// A point in time, and the list in the quarantine that was in force then.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) list: String,
}

#[derive(Debug, Clone)]
struct ByLength;

impl Weighter<Name, Arc<Memory>> for ByLength {
    fn weight(&self, _: &Name, memory: &Arc<Memory>) -> u64 {
        (memory.manifest.bytes.len() + OVERHEAD) as u64
    }
}

impl Default for Remembered {
    fn default() -> Self {
        let expected = usize::try_from(CAPACITY).unwrap_or_default() / (4 * OVERHEAD);
        Self(Cache::with_weighter(expected, CAPACITY, ByLength))
    }
}

impl Remembered {
    pub(super) fn get(&self, repository: &RepositoryName, digest: &Digest) -> Option<Arc<Memory>> {
        self.0.get(&(repository.clone(), *digest))
    }

    /// Remembers what was read from the repository at that moment or after it.
    pub(super) fn keep(&self, repository: &RepositoryName, manifest: &StoredManifest, read: Moment) {
        if manifest.bytes.len() > LONGEST {
            return;
        }
        // What was read may be a part of something longer, which would stay with it.
        let bytes = Bytes::copy_from_slice(&manifest.bytes);
        let says_its_type = Manifest::named_media_type(&bytes).is_some();
        let manifest = StoredManifest { bytes, ..manifest.clone() };
        let name = (repository.clone(), manifest.digest);
        self.0.insert(name, Arc::new(Memory { manifest, says_its_type, read }));
    }

    /// Forgets a manifest about which something has changed.
    pub(in crate::repository) fn forget(&self, repository: &RepositoryName, digest: &Digest) {
        self.0.remove(&(repository.clone(), *digest));
    }

    /// Forgets the manifests of a repository.
    pub(in crate::repository) fn forget_all(&self, repository: &RepositoryName) {
        self.0.retain(|(name, _), _| name != repository);
    }
}
