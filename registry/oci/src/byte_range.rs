//! The `Range` header of a download (RFC 9110, section 14.2), as far as registries use it: one range of
//! bytes.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

/// Which part of a blob a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-last`, both included.
    FromTo {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte.
        last: u64,
    },
    /// `bytes=first-`: everything from there on.
    From(u64),
    /// `bytes=-length`: the last bytes.
    Last(u64),
}

/// The largest number that whoever counts bytes in signed integers can read.
const LARGEST: u64 = i64::MAX.cast_unsigned();

/// A `Range` header that is not one range of bytes; a server then sends the whole content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("range {0:?} is not supported: write one range as bytes=first-last, bytes=first- or bytes=-length")]
pub struct InvalidByteRange(String);

impl ByteRange {
    /// The offsets that it names itself, of the first byte and behind the last one. `None` when the length of the content has to
    /// be known first, as for an offset that is too large for some to read.
    pub fn bounds(self) -> Option<Range<u64>> {
        match self {
            Self::FromTo { first, last } if first <= last && last < LARGEST => Some(first..last + 1),
            Self::FromTo { .. } | Self::From(_) | Self::Last(_) => None,
        }
    }

    /// Offsets of the first and the last byte within content of `size` bytes; `None` when no byte is in the
    /// range, as in one that ends before it starts.
    pub fn resolve(self, size: u64) -> Option<RangeInclusive<u64>> {
        let end = size.checked_sub(1)?;
        match self {
            Self::FromTo { first, last } => (first <= last.min(end)).then(|| first..=last.min(end)),
            Self::From(first) => (first <= end).then_some(first..=end),
            Self::Last(length) => (length > 0).then(|| size.saturating_sub(length)..=end),
        }
    }
}

impl FromStr for ByteRange {
    type Err = InvalidByteRange;

    fn from_str(text: &str) -> Result<Self, InvalidByteRange> {
        parse(text).ok_or_else(|| InvalidByteRange(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<ByteRange> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match (first, last) {
        ("", length) => Some(ByteRange::Last(number(length)?)),
        (first, "") => Some(ByteRange::From(number(first)?)),
        (first, last) => Some(ByteRange::FromTo { first: number(first)?, last: number(last)? }),
    }
}

/// Digits only: `u64::from_str` would take a sign as well.
pub(crate) fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, size: u64) -> Option<RangeInclusive<u64>> {
        text.parse::<ByteRange>().unwrap().resolve(size)
    }

    #[test]
    fn a_range_is_cut_to_the_content() {
        assert_eq!(resolved("bytes=0-0", 10), Some(0..=0));
        assert_eq!(resolved("bytes=2-5", 10), Some(2..=5));
        assert_eq!(resolved("bytes=2-99", 10), Some(2..=9));
        assert_eq!(resolved("bytes=9-", 10), Some(9..=9));
        assert_eq!(resolved("bytes=-3", 10), Some(7..=9));
        assert_eq!(resolved("bytes=-99", 10), Some(0..=9));
    }

    #[test]
    fn a_range_outside_the_content_is_not_satisfiable() {
        assert_eq!(resolved("bytes=10-", 10), None);
        assert_eq!(resolved("bytes=10-12", 10), None);
        assert_eq!(resolved("bytes=5-2", 10), None);
        assert_eq!(resolved("bytes=-0", 10), None);
        assert_eq!(resolved("bytes=0-", 0), None);
        assert_eq!(resolved("bytes=-1", 0), None);
    }

    #[test]
    fn a_range_that_names_both_offsets_needs_no_length() {
        let bounds = |text: &str| text.parse::<ByteRange>().unwrap().bounds();
        assert_eq!(bounds("bytes=2-5"), Some(2..6));
        assert_eq!(bounds("bytes=0-9223372036854775806"), Some(0..LARGEST));
        for text in ["bytes=2-", "bytes=-5", "bytes=5-2", "bytes=0-18446744073709551615"] {
            assert_eq!(bounds(text), None, "{text}");
        }
    }

    #[test]
    fn other_forms_are_not_ranges() {
        for text in
            ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2"]
        {
            assert!(text.parse::<ByteRange>().is_err(), "{text:?}");
        }
    }
}
