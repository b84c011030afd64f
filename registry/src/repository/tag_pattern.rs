//! Patterns of tags: names in which `*` stands for any text, or regular expressions.

use std::str::FromStr;

use berth_oci::Tag;
use regex::Regex;

/// A pattern such as `v*`, or `/^pr-[0-9]+$/`.
#[derive(Debug, Clone)]
pub struct TagPattern(Regex);

/// A text that is no pattern of tags.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no pattern of tags: write a name in which `*` stands for any text, or a regular expression between slashes"
)]
pub struct InvalidTagPattern(String);

impl TagPattern {
    /// Whether the pattern stands for this tag.
    pub fn matches(&self, tag: &Tag) -> bool {
        self.0.is_match(tag.as_str())
    }
}

impl FromStr for TagPattern {
    type Err = InvalidTagPattern;

    fn from_str(text: &str) -> Result<Self, InvalidTagPattern> {
        let written = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let from_name = || {
            let literals: Vec<_> = text.split('*').map(regex::escape).collect();
            format!("^{}$", literals.join(".*"))
        };
        let expression = written.map_or_else(from_name, str::to_owned);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
        match Regex::new(&expression) {
            Ok(regex) if written.is_some() || !text.is_empty() && text.chars().all(is_name) => {
                Ok(Self(regex))
            }
            _ => Err(InvalidTagPattern(text.to_owned())),
        }
    }
}

impl PartialEq for TagPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for TagPattern {}

/// The digits of the digest in a tag that has the form under which clients keep signatures and other referrers of an image.
pub(crate) fn subject_digits(tag: &Tag) -> Option<&str> {
    let digits = tag.as_str().strip_prefix("sha256-").or_else(|| tag.as_str().strip_prefix("sha512-"))?;
    digits.get(..64).filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()))
}
