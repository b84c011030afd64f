//! The check of a password against the file: remembered results first, then bcrypt on a few threads.

use std::{sync::Arc, time::Instant};

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    htpasswd::PasswordFile,
    verified::{Claim, Verified},
};
use crate::reloading::Reloading;

/// Checks passwords against a file that may change.
#[derive(Debug)]
pub struct Passwords {
    file: Arc<Reloading<PasswordFile>>,
    verified: Verified,
    /// One bcrypt a core: more would not be faster, and would starve the requests that need no bcrypt.
    slots: Semaphore,
}

impl Passwords {
    /// Checks against this file.
    pub fn new(file: Reloading<PasswordFile>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { file: Arc::new(file), verified: Verified::new(), slots: Semaphore::new(cores) }
    }

    /// The file.
    pub(super) fn file(&self) -> &Arc<Reloading<PasswordFile>> {
        &self.file
    }

    /// Whether the user exists and the password is right. Both "no" take the same time.
    pub async fn verify(&self, user: &str, password: &str) -> bool {
        let file = self.file.current();
        let Some(hash) = file.hash_of(user) else {
            if let Some(decoy) = file.decoy() {
                self.compare(password, decoy).await;
            }
            return false;
        };
        let claim = Claim { user, password, hash };
        if self.verified.remembers(claim, Instant::now()) {
            return true;
        }
        let right = self.compare(password, hash).await;
        if right {
            self.verified.remember(claim, Instant::now());
        }
        right
    }

    async fn compare(&self, password: &str, hash: &Arc<str>) -> bool {
        let Ok(_slot) = self.slots.acquire().await else {
            return false;
        };
        let (password, hash) = (password.to_owned(), Arc::clone(hash));
        let comparison = spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false));
        comparison.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::htpasswd::entry;

    fn write(path: &std::path::Path, user: &str, password: &str) {
        std::fs::write(path, entry(user, password, 4).unwrap()).unwrap();
    }

    fn open(path: &std::path::Path) -> Passwords {
        let parse = |contents: &[Vec<u8>]| Ok(std::str::from_utf8(&contents[0])?.parse()?);
        Passwords::new(Reloading::open("the password file", vec![path.to_owned()], parse).unwrap())
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_accepted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), "bob", "secret");
        let passwords = open(file.path());
        assert!(passwords.verify("bob", "secret").await);
        assert!(!passwords.verify("bob", "wrong").await);
        assert!(!passwords.verify("eve", "secret").await);
        assert!(!passwords.verify("", "").await);
    }

    #[tokio::test]
    async fn a_right_password_is_remembered_under_a_keyed_hash() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), "bob", "secret");
        let passwords = open(file.path());
        let hash = Arc::clone(passwords.file.current().hash_of("bob").unwrap());
        let claim = Claim { user: "bob", password: "secret", hash: &hash };
        assert!(!passwords.verified.remembers(claim, Instant::now()));
        passwords.verify("bob", "secret").await;
        assert!(passwords.verified.remembers(claim, Instant::now()));
    }

    #[tokio::test]
    async fn a_changed_password_replaces_the_old_one_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), "bob", "old");
        let passwords = open(file.path());
        assert!(passwords.verify("bob", "old").await);
        write(file.path(), "bob", "new");
        passwords.file.refresh();
        assert!(!passwords.verify("bob", "old").await);
        assert!(passwords.verify("bob", "new").await);
    }
}
