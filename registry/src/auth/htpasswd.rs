//! The password file: one `user:hash` a line, as Apache's `htpasswd -B` writes it. Only bcrypt is accepted.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use bcrypt::{BcryptError, HashParts, Version};

/// The users with the hashes of their passwords.
#[derive(Clone, Debug, Default)]
pub struct PasswordFile {
    hashes: HashMap<String, Arc<str>>,
    /// The hashes in their order: with one of them, an unknown user's password is compared.
    decoys: Vec<Arc<str>>,
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
    /// The hash of a user's password.
    pub(super) fn hash_of(&self, user: &str) -> Option<&Arc<str>> {
        self.hashes.get(user)
    }

    /// The hash for an unknown user who has drawn this number. It costs as much as that of a known one, whatever the costs
    /// in the file are.
    pub(super) fn decoy(&self, number: usize) -> Option<&Arc<str>> {
        self.decoys.get(number.checked_rem(self.decoys.len())?)
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.hashes.len()
    }
}

impl FromStr for PasswordFile {
    type Err = InvalidEntry;

    fn from_str(text: &str) -> Result<Self, InvalidEntry> {
        let mut file = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = parse_line(index + 1, line)?;
            file.decoys.push(Arc::clone(&hash));
            file.hashes.insert(user.to_owned(), hash);
        }
        Ok(file)
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
        assert!(bcrypt::verify("secret", file.hash_of("bob").unwrap()).unwrap());
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
    fn decoys_are_the_hashes_of_the_file() {
        let (fast, slow) = (entry("a", "x", 4).unwrap(), entry("b", "x", 5).unwrap());
        let file: PasswordFile = format!("{fast}\n{slow}").parse().unwrap();
        for (number, user) in [(0, "a"), (1, "b"), (usize::MAX, "b")] {
            assert_eq!(file.decoy(number), file.hash_of(user), "{number}");
        }
        assert_eq!(PasswordFile::default().decoy(7), None);
    }
}
