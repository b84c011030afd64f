//! Tags (distribution specification, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name for a manifest that may be moved: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// A text that is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "tag {0:?} is not allowed: use 1 to 128 letters, digits, '.', '_' and '-', and start with a \
     letter, a digit or '_'"
)]
pub struct InvalidTag(String);

impl Tag {
    /// The tag as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text is a tag.
    pub fn is_valid(text: &str) -> bool {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=128).contains(&text.len())
            && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
            && text.bytes().next().is_some_and(is_word)
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for Tag {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, InvalidTag> {
        if Self::is_valid(&text) { Ok(Self(text)) } else { Err(InvalidTag(text)) }
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_the_grammar_are_accepted() {
        let longest = "x".repeat(128);
        for tag in ["latest", "1.0", "_", "A-b.C_d", longest.as_str()] {
            assert_eq!(tag.parse::<Tag>().unwrap().as_str(), tag);
        }
    }

    #[test]
    fn tags_outside_the_grammar_are_refused() {
        let too_long = "x".repeat(129);
        for tag in ["", ".", "..", ".a", "-a", "a/b", "a:b", "a+b", "ä", "a b", too_long.as_str()] {
            assert!(tag.parse::<Tag>().is_err(), "{tag:?}");
        }
    }
}
