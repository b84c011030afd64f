//! Some of the digests of a set, in a bit for each.

use super::{IS_SHA512, Number};

/// How many numbers a word has bits for.
const BITS: usize = u64::BITS as usize;

/// Numbers of the digests of one set.
#[derive(Debug, Default)]
pub(in crate::repository) struct NumberSet {
    sha256: Bits,
    sha512: Bits,
    length: usize,
}

/// A bit for each place, as far as the last one that is in the set.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl NumberSet {
    /// Adds the number; `false` when it was there.
    pub(in crate::repository) fn insert(&mut self, Number(number): Number) -> bool {
        let is_new = match number & IS_SHA512 {
            0 => self.sha256.insert(number),
            _ => self.sha512.insert(number & !IS_SHA512),
        };
        self.length += usize::from(is_new);
        is_new
    }

    /// Whether the number is there.
    pub(in crate::repository) fn contains(&self, Number(number): Number) -> bool {
        match number & IS_SHA512 {
            0 => self.sha256.contains(number),
            _ => self.sha512.contains(number & !IS_SHA512),
        }
    }

    /// How many there are.
    pub(in crate::repository) fn len(&self) -> usize {
        self.length
    }
}

impl Bits {
    fn insert(&mut self, place: u32) -> bool {
        let (word, bit) = position(place);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    fn contains(&self, place: u32) -> bool {
        let (word, bit) = position(place);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// The word of a place, and its bit in that.
fn position(place: u32) -> (usize, u64) {
    let place = place as usize;
    (place / BITS, 1 << (place % BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_the_set_once_it_was_added_and_no_other() {
        let numbers = [0, 63, 64, 1000, IS_SHA512, IS_SHA512 | 64].map(Number);
        let mut set = NumberSet::default();
        for number in numbers {
            assert!(!set.contains(number) && set.insert(number) && !set.insert(number));
        }
        assert!(numbers.iter().all(|number| set.contains(*number)));
        assert!(
            [1, 62, 65, 999, 5000, IS_SHA512 | 1, IS_SHA512 | 0x400]
                .iter()
                .all(|number| !set.contains(Number(*number)))
        );
        assert_eq!(set.len(), numbers.len());
    }
}
