//! The hashes of the uploads that this process has added to last.
//!
//! Mostly the request that ends an upload comes to the process that took its bytes in, a moment later. Then nothing has to be read
//! again. Any other process goes on from the state in the storage, or from the bytes.

use berth_oci::UploadId;
use quick_cache::sync::Cache;

use crate::repository::hasher::Hasher;

/// How many are kept: one for each client, where there are not very many at a time. Who is forgotten costs as much as the request
/// that comes to another process.
const MOST: usize = 256;

/// The last hashes. An upload never has other bytes of the same length, so a hash holds as long as the length does.
#[derive(Debug)]
pub(in crate::repository) struct FreshHashes(Cache<UploadId, Fresh>);

/// The hash of an upload while it has so many bytes.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    pub(super) size: u64,
    pub(super) hasher: Hasher,
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

    /// The hash of the upload as this process has left it; another may have gone on.
    pub(super) fn get(&self, id: UploadId) -> Option<Fresh> {
        self.0.get(&id)
    }

    /// Forgets an upload that has ended.
    pub(super) fn forget(&self, id: UploadId) {
        self.0.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::Algorithm;

    use super::*;
    use crate::repository::hasher::digest_of;

    #[test]
    fn a_hash_is_told_with_the_length_that_the_upload_had() {
        let (fresh, id) = (FreshHashes::default(), UploadId::random());
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"content");
        fresh.keep(id, 7, hasher);
        let Fresh { size, hasher } = fresh.get(id).unwrap();
        assert_eq!((size, hasher.finish()), (7, digest_of(Algorithm::Sha256, b"content")));
        fresh.forget(id);
        assert!(fresh.get(id).is_none());
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let (fresh, ids) = (FreshHashes::default(), (0..10 * MOST).map(|_| UploadId::random()));
        let kept = ids.filter(|id| {
            fresh.keep(*id, 0, Hasher::new(Algorithm::Sha256));
            fresh.get(*id).is_some()
        });
        assert!(kept.count() > 0);
        assert!(fresh.0.len() <= MOST);
    }
}
