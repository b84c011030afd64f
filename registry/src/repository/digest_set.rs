//! Many digests in little memory.

use std::collections::HashSet;

use berth_oci::{Algorithm, Digest};

/// A set of digests, which holds the 32 bytes of a SHA-256 and no more.
#[derive(Debug, Default)]
pub(super) struct DigestSet {
    sha256: HashSet<[u8; 32]>,
    sha512: HashSet<[u8; 64]>,
}

impl DigestSet {
    /// Adds the digest; `false` when it was there.
    pub(super) fn insert(&mut self, digest: &Digest) -> bool {
        let bytes = digest.as_bytes();
        match digest.algorithm() {
            Algorithm::Sha256 => bytes.try_into().is_ok_and(|bytes| self.sha256.insert(bytes)),
            Algorithm::Sha512 => bytes.try_into().is_ok_and(|bytes| self.sha512.insert(bytes)),
        }
    }

    /// Whether the digest is there.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        let bytes = digest.as_bytes();
        match digest.algorithm() {
            Algorithm::Sha256 => self.sha256.contains(bytes),
            Algorithm::Sha512 => self.sha512.contains(bytes),
        }
    }

    /// All digests, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Digest> {
        let sha256 = self.sha256.iter().map(|hash| Digest::sha256(*hash));
        sha256.chain(self.sha512.iter().map(|hash| Digest::sha512(*hash)))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sha256.len() + self.sha512.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.sha256.is_empty() && self.sha512.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_both_algorithms_are_kept() {
        let digests = [Digest::sha256([1; 32]), Digest::sha512([1; 64])];
        let mut set = DigestSet::default();
        assert!(set.is_empty());
        assert!(digests.iter().all(|digest| set.insert(digest)));
        assert!(!digests.iter().any(|digest| set.insert(digest)));
        assert!(digests.iter().all(|digest| set.contains(digest)));
        assert!(!set.contains(&Digest::sha256([2; 32])));
        assert_eq!(set.iter().collect::<Vec<_>>(), digests);
    }
}
