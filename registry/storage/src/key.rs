//! Keys: the names of objects.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The name of an object: components separated by `/`.
///
/// No component is empty, `.` or `..` or holds a control character, so a key is also a safe relative path.
/// The empty key stands for everything. Keys are ordered by their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

/// How much of a key usually comes after a part of it: a digest and a few words.
const USUAL_REST: usize = 160;

/// A text that is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key: its components must not be empty, '.', '..' or hold control characters")]
pub struct InvalidKey(String);

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of `component` below this one.
    ///
    /// This cannot fail: what is not allowed in a component is written as `%` and two hexadecimal digits, and
    /// an empty component adds nothing.
    pub fn join(&self, component: impl fmt::Display) -> Self {
        let mut key = String::with_capacity(self.0.len() + USUAL_REST);
        key.push_str(&self.0);
        Self(key).with(component)
    }

    /// The same, for a key that nobody else needs: a path of ten components grows in one piece of memory.
    pub fn with(self, component: impl fmt::Display) -> Self {
        let Self(mut key) = self;
        make_room(&mut key);
        let end = key.len();
        if end > 0 {
            key.push('/');
        }
        let start = key.len();
        let _ = write!(key, "{component}");
        if key.len() == start {
            key.truncate(end);
        } else if !is_component(&key[start..]) || key[start..].contains('/') {
            let escaped = escape(&key[start..]);
            key.replace_range(start.., &escaped);
        }
        Self(key)
    }

    /// The same for several components, which are separated by `/`.
    pub fn with_path(self, path: &str) -> Self {
        if !path.split('/').all(is_component) {
            return path.split('/').fold(self, Self::with);
        }
        let Self(mut key) = self;
        make_room(&mut key);
        if !key.is_empty() {
            key.push('/');
        }
        key.push_str(path);
        Self(key)
    }

    /// The components of the key that come after those of `prefix`, if it starts with them.
    pub fn strip_prefix(&self, prefix: &Self) -> Option<&str> {
        if prefix.0.is_empty() {
            return Some(&self.0);
        }
        self.0.strip_prefix(&prefix.0)?.strip_prefix('/')
    }
}

/// Reserves what the next components will usually take, once for all of them.
fn make_room(key: &mut String) {
    if key.capacity() - key.len() < USUAL_REST / 2 {
        key.reserve(USUAL_REST);
    }
}

fn is_component(component: &str) -> bool {
    !matches!(component, "" | "." | "..") && !component.chars().any(char::is_control)
}

fn escape(component: &str) -> String {
    let climbs = matches!(component, "." | "..");
    component
        .chars()
        .map(|c| match c {
            '.' if climbs => "%2E".to_owned(),
            '/' | '\0'..='\x1f' | '\x7f'..='\u{9f}' => format!("%{:02X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if text.is_empty() || text.split('/').all(is_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey(text.to_owned()))
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_components() {
        let key = Key::default().join("a").join("").join("b.c").join("_d");
        assert_eq!(key.as_str(), "a/b.c/_d");
        assert_eq!(key, "a/b.c/_d".parse().unwrap());
        assert_eq!(key, Key::default().with("a").with("").with("b.c").with("_d"));
        assert_eq!(key, Key::default().with_path("a/b.c").with_path("_d"));
        assert_eq!(key.strip_prefix(&"a".parse().unwrap()), Some("b.c/_d"));
        assert_eq!(key.strip_prefix(&"a/b".parse().unwrap()), None);
    }

    #[test]
    fn no_component_climbs_out() {
        for text in ["/", "/a", "a/", "a//b", ".", "a/..", "../a", "a/./b", "a\0b", "a\nb"] {
            assert!(text.parse::<Key>().is_err(), "{text:?}");
        }
        assert_eq!(Key::default().join("..").as_str(), "%2E%2E");
        assert_eq!(Key::default().join("a/../b\0").as_str(), "a%2F..%2Fb%00");
        assert!(Key::default().join(".").as_str().parse::<Key>().is_ok());
    }
}
