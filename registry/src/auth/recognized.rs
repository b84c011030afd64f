//! Who shows the same credentials as before, known without taking them apart.
//!
//! Kept is a keyed hash of the credentials as they came, which leads to the user and to the claim that was found right with
//! them. They lead to no other claim while the password file is the same. Whether the claim still counts is for
//! `remembered` to say, each time.

use std::{
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{expiring::Expiring, htpasswd::PasswordFile, keyed_hash::Tag};

/// How long it is kept, however often it is shown.
const KEPT: Duration = Duration::from_mins(15);

/// What was shown, by its keyed hash.
#[derive(Debug, Default)]
pub(super) struct Recognized(Mutex<Expiring<Known>>);

/// Where credentials lead.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) user: Arc<str>,
    pub(super) claim: Tag,
    file: Weak<PasswordFile>,
}

impl Recognized {
    /// Where credentials lead, if that is known of this state of the password file.
    pub(super) fn get(&self, shown: &Tag, file: &Arc<PasswordFile>, now: Instant) -> Option<Known> {
        let is_of = |known: &&Known| ptr::eq(known.file.as_ptr(), Arc::as_ptr(file));
        self.lock().get(shown, now).filter(is_of).cloned()
    }

    /// Keeps where they lead.
    pub(super) fn keep(&self, shown: Tag, user: &str, claim: Tag, file: &Arc<PasswordFile>, now: Instant) {
        let known = Known { user: user.into(), claim, file: Arc::downgrade(file) };
        self.lock().insert(shown, known, now + KEPT, now);
    }

    fn lock(&self) -> MutexGuard<'_, Expiring<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<PasswordFile> {
        Arc::new("".parse().unwrap())
    }

    #[test]
    fn credentials_are_recognized_while_the_password_file_is_the_same() {
        let (recognized, file, now) = (Recognized::default(), file(), Instant::now());
        recognized.keep([1; 32], "bob", [2; 32], &file, now);
        let known = recognized.get(&[1; 32], &file, now).unwrap();
        assert_eq!((&*known.user, known.claim), ("bob", [2; 32]));
        assert!(recognized.get(&[2; 32], &file, now).is_none());
        assert!(recognized.get(&[1; 32], &self::file(), now).is_none());
        assert!(recognized.get(&[1; 32], &file, now + KEPT).is_none());
    }
}
