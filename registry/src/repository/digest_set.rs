//! Many digests in little memory.

mod number_set;

use std::alloc::{Layout, handle_alloc_error};
use std::hash::{BuildHasher as _, RandomState};

use berth_oci::{Algorithm, Digest};
use hashbrown::{HashTable, hash_table::Entry};

pub(super) use self::number_set::NumberSet;

/// A set of digests, which holds the 32 bytes of a SHA-256 and about ten more.
///
/// Each digest in it has a number, by which others can name it in four bytes.
#[derive(Debug, Default)]
pub(super) struct DigestSet {
    sha256: Hashes<32>,
    sha512: Hashes<64>,
}

/// Which digest of a set it is: its place among those of its algorithm, which the highest bit tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Number(u32);

const IS_SHA512: u32 = 1 << 31;

impl Number {
    /// The number, spread over all bits, by which a table finds it. Numbers are ours: nobody else can make them collide.
    pub(super) fn spread(self) -> u64 {
        let product = u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ (product >> 32)
    }
}

impl DigestSet {
    /// Adds the digest; `false` when it was there.
    pub(super) fn insert(&mut self, digest: &Digest) -> bool {
        let before = self.len();
        self.number(digest);
        self.len() > before
    }

    /// The number of the digest, which is added if it is not there.
    pub(super) fn number(&mut self, digest: &Digest) -> Number {
        match digest.algorithm() {
            Algorithm::Sha256 => Number(self.sha256.add(digest.as_bytes())),
            Algorithm::Sha512 => Number(self.sha512.add(digest.as_bytes()) | IS_SHA512),
        }
    }

    /// The number of the digest, if it is there.
    pub(super) fn find(&self, digest: &Digest) -> Option<Number> {
        match digest.algorithm() {
            Algorithm::Sha256 => self.sha256.find(digest.as_bytes()).map(Number),
            Algorithm::Sha512 => self.sha512.find(digest.as_bytes()).map(|place| Number(place | IS_SHA512)),
        }
    }

    /// The digest of that number, which is one of this set.
    pub(super) fn digest(&self, Number(number): Number) -> Digest {
        if number & IS_SHA512 == 0 {
            Digest::sha256(*self.sha256.values.at(number))
        } else {
            Digest::sha512(*self.sha512.values.at(number & !IS_SHA512))
        }
    }

    /// Whether the digest is there.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.find(digest).is_some()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sha256.values.length + self.sha512.values.length
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The digests of one algorithm, each once, and an index of their places.
#[derive(Debug)]
struct Hashes<const N: usize> {
    values: Segments<N>,
    places: HashTable<u32>,
    /// Clients choose what they name, and not where that stands in the index.
    order: RandomState,
}

impl<const N: usize> Default for Hashes<N> {
    fn default() -> Self {
        Self { values: Segments::default(), places: HashTable::new(), order: RandomState::new() }
    }
}

impl<const N: usize> Hashes<N> {
    fn find(&self, hash: &[u8]) -> Option<u32> {
        // As the list of the quarantine is for most of the time, which is asked by every `HEAD`.
        if self.places.is_empty() {
            return None;
        }
        let is_it = |place: &u32| self.values.at(*place) == hash;
        self.places.find(self.order.hash_one(hash), is_it).copied()
    }

    fn add(&mut self, hash: &[u8]) -> u32 {
        let (values, order) = (&mut self.values, &self.order);
        let position = |place: &u32| order.hash_one(values.at(*place).as_slice());
        let is_it = |place: &u32| values.at(*place) == hash;
        match self.places.entry(order.hash_one(hash), is_it, position) {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                let place = next_place::<N>(values.length);
                if let Some(hash) = hash.as_array() {
                    values.push(*hash);
                }
                *free.insert(place).get()
            }
        }
    }
}

/// Many hashes in pieces of memory that stay where they are: one piece that grows would leave holes of half its size.
#[derive(Debug, Default)]
struct Segments<const N: usize> {
    segments: Vec<Vec<[u8; N]>>,
    length: usize,
}

/// How many hashes are in a segment.
const SEGMENT: usize = 4096;

impl<const N: usize> Segments<N> {
    fn at(&self, place: u32) -> &[u8; N] {
        let place = place as usize;
        &self.segments[place / SEGMENT][place % SEGMENT]
    }

    fn push(&mut self, hash: [u8; N]) {
        self.length += 1;
        match self.segments.last_mut() {
            Some(last) if last.len() < SEGMENT => last.push(hash),
            // Most sets are small, and the first segment grows as they do.
            None => self.segments.push(vec![hash]),
            Some(_) => {
                let mut next = Vec::with_capacity(SEGMENT);
                next.push(hash);
                self.segments.push(next);
            }
        }
    }
}

/// The place behind so many. Where there are no more numbers, memory is as good as used up: they would take 80 GB.
fn next_place<const N: usize>(count: usize) -> u32 {
    let place = u32::try_from(count).ok().filter(|place| place & IS_SHA512 == 0);
    place.unwrap_or_else(|| handle_alloc_error(Layout::new::<[u8; N]>()))
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
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn a_number_stands_for_its_digest_however_many_come_later() {
        let digest = |number: u16| {
            let bytes = number.to_be_bytes();
            match number % 2 {
                0 => Digest::sha256(std::array::from_fn(|index| bytes[index % 2])),
                _ => Digest::sha512(std::array::from_fn(|index| bytes[index % 2])),
            }
        };
        let mut set = DigestSet::default();
        let numbers: Vec<_> = (0..5000).map(|number| set.number(&digest(number))).collect();
        assert_eq!(set.len(), 5000);
        for (number, digest) in numbers.into_iter().zip((0..5000).map(digest)) {
            assert_eq!(set.digest(number), digest);
            assert_eq!((set.find(&digest), set.number(&digest)), (Some(number), number));
        }
        assert_eq!(set.find(&digest(5000)), None);
    }
}
