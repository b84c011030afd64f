//! Names of repositories (distribution specification, "Pulling manifests").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes; the limit that all clients share.
const LONGEST: usize = 255;

/// The name of a repository, such as `library/alpine`.
///
/// One or more components separated by `/`; a component is made of `a`–`z` and `0`–`9` with `.`, `_`, `__` or
/// any number of `-` between them. No component starts with `_`, so a name never meets a key of the storage
/// layout. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(Arc<str>);

/// Why a text is not a repository name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRepositoryName {
    /// More than 255 bytes.
    #[error("the repository name has {0} characters: at most {LONGEST} are allowed")]
    TooLong(usize),
    /// A component does not follow the grammar.
    #[error(
        "{component:?} in the repository name {name:?} is not allowed: use lower-case letters and \
         digits, separated by one '.', one or two '_' or any number of '-'"
    )]
    Component {
        /// The whole name as it was given.
        name: String,
        /// The part between two slashes that is wrong.
        component: String,
    },
}

impl RepositoryName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(name: &str) -> Result<Self, InvalidRepositoryName> {
        if name.len() > LONGEST {
            return Err(InvalidRepositoryName::TooLong(name.len()));
        }
        match name.split('/').find(|component| !is_component(component)) {
            None => Ok(Self(name.into())),
            Some(component) => Err(InvalidRepositoryName::Component {
                name: name.to_owned(),
                component: component.to_owned(),
            }),
        }
    }
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let bytes = component.as_bytes();
    let starts_and_ends_well = bytes.first().copied().is_some_and(is_alphanumeric)
        && bytes.last().copied().is_some_and(is_alphanumeric);
    starts_and_ends_well && bytes.split(|byte| is_alphanumeric(*byte)).all(is_separator)
}

/// Nothing at all, which is what stands between two letters, or one of the separators.
fn is_separator(between: &[u8]) -> bool {
    matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|byte| *byte == b'-')
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RepositoryName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = InvalidRepositoryName;

    fn try_from(text: String) -> Result<Self, InvalidRepositoryName> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_accepted() {
        let longest = "a".repeat(LONGEST);
        for name in [
            "a",
            "library/alpine",
            "a/b/c/d",
            "a.b",
            "a_b",
            "a__b",
            "a-b",
            "a----b",
            "0/1",
            "my.team_x/app--2",
            longest.as_str(),
        ] {
            assert_eq!(name.parse::<RepositoryName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for name in [
            "", "/", "a/", "/a", "a//b", "A", "aB", "a..b", "a___b", "a._b", "-a", "a-", "_uploads", ".",
            "..", "a/../b", "a b", "ä", "a\0b", "a:b",
        ] {
            assert!(name.parse::<RepositoryName>().is_err(), "{name:?}");
        }
        assert_eq!("a".repeat(256).parse::<RepositoryName>(), Err(InvalidRepositoryName::TooLong(256)));
    }
}
