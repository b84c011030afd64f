//! Tokens that were verified, so that a signature is looked at once and not for every request.
//!
//! Kept are keyed hashes of the tokens, a bounded number, none longer than its token is good, and only those that are: who
//! sends others displaces nothing. What was verified with keys that have been replaced is verified again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::trusted_keys::TrustedKeys;
use crate::auth::{expiring::Expiring, keyed_hash::KeyedHash};

/// How long a token is remembered at most.
const LONGEST: Duration = Duration::from_mins(5);

/// The remembered tokens, and who shows each.
#[derive(Debug)]
pub(super) struct Verified<B> {
    hash: KeyedHash,
    bearers: Mutex<Expiring<Remembered<B>>>,
}

#[derive(Debug)]
struct Remembered<B> {
    bearer: Arc<B>,
    keys: Arc<TrustedKeys>,
    /// When the token expires, whatever the clock of the system has done meanwhile.
    end: SystemTime,
}

impl<B> Default for Verified<B> {
    fn default() -> Self {
        Self { hash: KeyedHash::new(), bearers: Mutex::default() }
    }
}

impl<B> Verified<B> {
    /// Whoever showed the token before, if it is good still.
    pub(super) fn get(&self, token: &str, keys: &Arc<TrustedKeys>, now: SystemTime) -> Option<Arc<B>> {
        let tag = self.hash.tag(&[token.as_bytes()])?;
        let bearers = self.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = bearers.get(&tag, Instant::now())?;
        (Arc::ptr_eq(&found.keys, keys) && now < found.end).then(|| Arc::clone(&found.bearer))
    }

    /// Forgets all of them, so that each is verified again.
    pub(super) fn forget(&self) {
        *self.bearers.lock().unwrap_or_else(PoisonError::into_inner) = Expiring::default();
    }

    /// Remembers a token that was verified with these keys and is good for the `rest`.
    pub(super) fn remember(
        &self,
        token: &str,
        keys: Arc<TrustedKeys>,
        now: SystemTime,
        rest: Duration,
        bearer: &Arc<B>,
    ) {
        let Some(tag) = self.hash.tag(&[token.as_bytes()]) else { return };
        let remembered = Remembered { bearer: Arc::clone(bearer), keys, end: now + rest };
        let instant = Instant::now();
        let until = instant + rest.min(LONGEST);
        let mut bearers = self.bearers.lock().unwrap_or_else(PoisonError::into_inner);
        bearers.insert(tag, remembered, until, instant);
    }
}
