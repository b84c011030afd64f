//! The hashes of the uploads that this process has added to last.
//!
//! Mostly the request that ends an upload comes to the process that took its bytes in, a moment later. Then nothing has to be read
//! again. Any other process goes on from the state in the storage, or from the bytes.

use berth_oci::{Algorithm, UploadId};
use quick_cache::sync::Cache;

use crate::repository::hasher::Hasher;

/// How many are kept: more than there are clients at a time.
const MOST: usize = 256;

/// The last hashes. An upload never has other bytes of the same length, so a hash holds as long as the length does.
#[derive(Debug)]
pub(in crate::repository) struct FreshHashes(Cache<UploadId, Fresh>);

#[derive(Debug, Clone)]
struct Fresh {
    size: u64,
    hasher: Hasher,
}

impl Default for FreshHashes {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl FreshHashes {
    /// Keeps the hash of an upload of `size` bytes.
    pub(super) fn keep(&self, id: UploadId, size: u64, hasher: Hasher) {
        self.0.insert(id, Fresh { size, hasher });
    }

    /// The hash of the upload, if it has `size` bytes still.
    pub(super) fn of(&self, id: UploadId, size: u64) -> Option<Hasher> {
        self.0.get(&id).filter(|fresh| fresh.size == size).map(|fresh| fresh.hasher)
    }

    /// The size of the upload, and the algorithm of its hash, if it is known.
    pub(super) fn end_of(&self, id: UploadId) -> Option<(u64, Algorithm)> {
        self.0.get(&id).map(|fresh| (fresh.size, fresh.hasher.algorithm()))
    }

    /// Forgets an upload that has ended.
    pub(super) fn forget(&self, id: UploadId) {
        self.0.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::hasher::digest_of;

    #[test]
    fn a_hash_holds_for_the_length_that_the_upload_had() {
        let (fresh, id) = (FreshHashes::default(), UploadId::random());
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"content");
        fresh.keep(id, 7, hasher);
        assert_eq!(fresh.of(id, 7).unwrap().finish(), digest_of(Algorithm::Sha256, b"content"));
        assert!(fresh.of(id, 8).is_none(), "another process has added to it");
        fresh.forget(id);
        assert!(fresh.of(id, 7).is_none());
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let (fresh, ids) = (FreshHashes::default(), (0..10 * MOST).map(|_| UploadId::random()));
        let kept = ids.filter(|id| {
            fresh.keep(*id, 0, Hasher::new(Algorithm::Sha256));
            fresh.of(*id, 0).is_some()
        });
        assert!(kept.count() > 0);
        assert!(fresh.0.len() <= MOST);
    }
}
