//! Passwords that were found right, so that bcrypt runs once and not for every request.
//!
//! Kept is only a keyed hash of user, password and line of the file, under a key that lives as long as the process:
//! when the line changes, what was remembered of it no longer fits.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ring::hmac;

/// How many passwords are remembered.
const CAPACITY: usize = 4096;

/// How long a password is remembered.
const LIFETIME: Duration = Duration::from_mins(15);

type Tag = [u8; 32];

/// A user's claim to know the password behind a hash.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) hash: &'a str,
}

/// The remembered passwords.
#[derive(Debug)]
pub(super) struct Verified {
    /// `None` if the system had no randomness for it; then nothing is remembered.
    key: Option<hmac::Key>,
    until: Mutex<HashMap<Tag, Instant>>,
}

impl Verified {
    pub(super) fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new());
        Self { key: key.ok(), until: Mutex::default() }
    }

    /// Whether the claim was found right lately.
    pub(super) fn remembers(&self, claim: Claim<'_>, now: Instant) -> bool {
        let Some(tag) = self.tag(claim) else { return false };
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&tag).is_some_and(|until| now < *until)
    }

    /// Remembers a claim that was found right.
    pub(super) fn remember(&self, claim: Claim<'_>, now: Instant) {
        let Some(tag) = self.tag(claim) else { return };
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= CAPACITY {
            until.retain(|_, until| now < *until);
        }
        if until.len() >= CAPACITY {
            // All are fresh: forgetting all costs each user one bcrypt, and needs no order of use.
            until.clear();
        }
        until.insert(tag, now + LIFETIME);
    }

    fn tag(&self, claim: Claim<'_>) -> Option<Tag> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        for part in [claim.user, claim.password, claim.hash] {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim<'_> = Claim { user: "bob", password: "secret", hash: "$2y$04$x" };

    #[test]
    fn a_remembered_claim_expires() {
        let (verified, now) = (Verified::new(), Instant::now());
        assert!(!verified.remembers(CLAIM, now));
        verified.remember(CLAIM, now);
        assert!(verified.remembers(CLAIM, now));
        assert!(!verified.remembers(CLAIM, now + LIFETIME));
    }

    #[test]
    fn any_other_claim_is_not_remembered() {
        let (verified, now) = (Verified::new(), Instant::now());
        verified.remember(CLAIM, now);
        for other in [
            Claim { password: "wrong", ..CLAIM },
            Claim { user: "eve", ..CLAIM },
            Claim { hash: "$2y$04$y", ..CLAIM },
            Claim { user: "bobs", password: "ecret", ..CLAIM },
        ] {
            assert!(!verified.remembers(other, now));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (verified, now) = (Verified::new(), Instant::now());
        for user in 0..=CAPACITY {
            verified.remember(Claim { user: &user.to_string(), ..CLAIM }, now);
        }
        assert!(verified.until.lock().unwrap().len() <= CAPACITY);
    }
}
