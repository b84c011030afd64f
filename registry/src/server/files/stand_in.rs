//! The memory whose addresses stand for pieces of files.

use std::sync::LazyLock;

/// How long the longest piece is.
pub(super) const LENGTH: usize = 1 << 20;

/// Never written to and never read, so that it takes addresses and no memory.
static RESERVED: LazyLock<&[u8]> = LazyLock::new(|| vec![0; LENGTH].leak());

/// What stands for a piece of this length.
pub(super) fn of(length: u64) -> &'static [u8] {
    &RESERVED[..usize::try_from(length).map_or(LENGTH, |length| length.min(LENGTH))]
}

/// Whether these bytes are of the reserved memory. It has no other use.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    !bytes.is_empty() && RESERVED.as_ptr_range().contains(&bytes.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_known_by_where_it_is() {
        assert!(is_one(of(10)) && is_one(&of(10)[9..]) && is_one(&of(LENGTH as u64)[LENGTH - 1..]));
        assert!(!is_one(&[0; 10]) && !is_one(&Vec::from(of(10))) && !is_one(&of(10)[10..]));
    }
}
