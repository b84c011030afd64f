//! The `Content-Range` header of an upload's chunk (distribution specification, "Pushing a blob in chunks").

use std::str::FromStr;

use crate::byte_range::number;

/// Where a chunk belongs: offsets of its first and its last byte.
///
/// The specification writes `first-last`; the form of RFC 9110, `bytes first-last/length`, is understood as
/// well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    first: u64,
    last: u64,
}

/// A text that does not say where a chunk belongs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("content range {0:?} is not valid: write it as first-last, both included")]
pub struct InvalidContentRange(String);

impl ContentRange {
    /// Offset of the first byte.
    pub fn first(self) -> u64 {
        self.first
    }

    /// Offset of the last byte.
    pub fn last(self) -> u64 {
        self.last
    }

    /// How many bytes the chunk has.
    pub fn length(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl FromStr for ContentRange {
    type Err = InvalidContentRange;

    fn from_str(text: &str) -> Result<Self, InvalidContentRange> {
        parse(text).ok_or_else(|| InvalidContentRange(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<ContentRange> {
    let text = text.trim();
    let range = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
    let range = range.split('/').next()?;
    let (first, last) = range.split_once('-')?;
    if first.is_empty() || last.is_empty() {
        return None;
    }
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(ContentRange { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_chunk_are_understood() {
        for text in ["10-19", " 10-19 ", "bytes 10-19/*", "bytes 10-19/100", "bytes=10-19"] {
            let range: ContentRange = text.parse().unwrap();
            assert_eq!((range.first(), range.last(), range.length()), (10, 19, 10), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for text in ["", "-", "1-", "-1", "9-1", "a-b", "bytes */10", "+1-2"] {
            assert!(text.parse::<ContentRange>().is_err(), "{text:?}");
        }
    }
}
