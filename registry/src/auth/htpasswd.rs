//! The password file: one `user:hash` a line, as Apache's `htpasswd -B` writes it. Only bcrypt is accepted.
//!
//! Of several lines of one user, the last one counts, as in Distribution; or all of them do (`auth.htpasswd.overlap`), so that
//! a password can be replaced while the old one still works.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use bcrypt::{BcryptError, HashParts, Version};

/// The users with the hashes of their passwords.
#[derive(Clone, Debug, Default)]
pub struct PasswordFile {
    /// Where in `hashes` those of a user are.
    users: HashMap<String, usize>,
    /// The hashes of each user, in the order of the file.
    hashes: Vec<Vec<Arc<str>>>,
}

/// A line that is not a user with a bcrypt hash.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidEntry {
    /// There is no colon.
    #[error("line {line} is not of the form user:hash")]
    Malformed {
        /// Counted from 1.
        line: usize,
    },
    /// The hash is of another kind.
    #[error(
        "line {line}: the password of {user:?} is {kind}, but only bcrypt is accepted; \
         replace the line by what `registry htpasswd -Bbn {user} PASSWORD` prints"
    )]
    NotBcrypt {
        /// Counted from 1.
        line: usize,
        /// Whose line it is.
        user: String,
        /// What was found.
        kind: &'static str,
    },
}

impl PasswordFile {
    /// Reads the text of a file. With `overlap`, each line of a user counts, otherwise the last one.
    pub fn read(text: &str, overlap: bool) -> Result<Self, InvalidEntry> {
        let mut file = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = parse_line(index + 1, line)?;
            file.add(user, hash, overlap);
        }
        Ok(file)
    }

    fn add(&mut self, user: &str, hash: Arc<str>, overlap: bool) {
        let known = self.users.get(user).and_then(|index| self.hashes.get_mut(*index));
        match known {
            Some(hashes) if overlap => hashes.push(hash),
            Some(hashes) => *hashes = vec![hash],
            None => {
                self.users.insert(user.to_owned(), self.hashes.len());
                self.hashes.push(vec![hash]);
            }
        }
    }

    /// The hashes of a user's passwords, at least one.
    pub(super) fn hashes_of(&self, user: &str) -> Option<&[Arc<str>]> {
        self.hashes.get(*self.users.get(user)?).map(Vec::as_slice)
    }

    /// The hashes for an unknown user who has drawn this number. They cost as much as those of a known one, whatever the
    /// costs in the file are.
    pub(super) fn decoy(&self, number: usize) -> Option<&[Arc<str>]> {
        self.hashes.get(number.checked_rem(self.hashes.len())?).map(Vec::as_slice)
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.hashes.len()
    }
}

/// As Distribution reads it: of several lines of a user, the last one counts.
impl FromStr for PasswordFile {
    type Err = InvalidEntry;

    fn from_str(text: &str) -> Result<Self, InvalidEntry> {
        Self::read(text, false)
    }
}

/// One line: the user and the hash.
fn parse_line(line: usize, text: &str) -> Result<(&str, Arc<str>), InvalidEntry> {
    let (user, hash) = text
        .split_once(':')
        .filter(|(user, hash)| !user.is_empty() && !hash.is_empty())
        .ok_or(InvalidEntry::Malformed { line })?;
    let parts: Option<HashParts> = is_bcrypt(hash).then(|| hash.parse().ok()).flatten();
    match parts {
        Some(_) => Ok((user, hash.into())),
        None => Err(InvalidEntry::NotBcrypt { line, user: user.to_owned(), kind: kind_of(hash) }),
    }
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix))
}

fn kind_of(hash: &str) -> &'static str {
    match hash {
        hash if is_bcrypt(hash) => "a damaged bcrypt hash",
        hash if hash.starts_with("$apr1$") || hash.starts_with("$1$") => "hashed by MD5",
        hash if hash.starts_with("{SHA}") => "hashed by SHA-1",
        hash if hash.starts_with("$5$") => "hashed by SHA-256 crypt",
        hash if hash.starts_with("$6$") => "hashed by SHA-512 crypt",
        _ => "in clear text or hashed by crypt",
    }
}

/// A line for the file, with a new hash of the password.
pub fn entry(user: &str, password: &str, cost: u32) -> Result<String, BcryptError> {
    let hash = bcrypt::non_truncating_hash_with_result(password, cost)?;
    Ok(format!("{user}:{}", hash.format_for_version(Version::TwoY)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_bcrypt_are_read_and_comments_are_skipped() {
        let line = entry("bob", "secret", 4).unwrap();
        let file: PasswordFile = format!("# users\n\n{line}\r\n").parse().unwrap();
        assert_eq!(file.users(), 1);
        assert!(bcrypt::verify("secret", &file.hashes_of("bob").unwrap()[0]).unwrap());
    }

    #[test]
    fn the_last_line_of_a_user_counts_unless_they_overlap() {
        let (old, new) = (entry("bob", "old", 4).unwrap(), entry("bob", "new", 4).unwrap());
        let text = format!("{old}\n{}\n{new}\n", entry("eve", "x", 4).unwrap());
        let hashes = |overlap| {
            let file = PasswordFile::read(&text, overlap).unwrap();
            assert_eq!(file.users(), 2);
            file.hashes_of("bob").unwrap().iter().map(|hash| format!("bob:{hash}")).collect::<Vec<_>>()
        };
        assert_eq!(hashes(false), std::slice::from_ref(&new));
        assert_eq!(hashes(true), [old, new]);
    }

    #[test]
    fn another_hash_is_refused_with_its_line_and_what_to_run() {
        let error = "# users\neve:$apr1$abc$def".parse::<PasswordFile>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: the password of \"eve\" is hashed by MD5, but only bcrypt is accepted; \
             replace the line by what `registry htpasswd -Bbn eve PASSWORD` prints"
        );
    }

    #[test]
    fn a_line_without_a_colon_is_refused_without_showing_it() {
        assert_eq!(
            "secret".parse::<PasswordFile>().unwrap_err().to_string(),
            "line 1 is not of the form user:hash"
        );
    }

    #[test]
    fn a_decoy_is_all_that_some_user_has() {
        let (fast, slow) = (entry("a", "x", 4).unwrap(), entry("b", "x", 5).unwrap());
        let file = PasswordFile::read(&format!("{fast}\n{slow}\n{fast}"), true).unwrap();
        for (number, user) in [(0, "a"), (1, "b"), (usize::MAX, "b")] {
            assert_eq!(file.decoy(number), file.hashes_of(user), "{number}");
        }
        assert_eq!(file.decoy(0).map(<[_]>::len), Some(2));
        assert_eq!(PasswordFile::default().decoy(7), None);
    }
}
