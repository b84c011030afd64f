//! Passwords that were found right or wrong, so that bcrypt runs once for each and not for every request.
//!
//! Kept is only a keyed hash of user, password and line of the password file: when the line changes, what was remembered of
//! it no longer fits.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{expiring::Expiring, keyed_hash::Tag};

/// How long a right password is remembered after its last use.
const RIGHT: Duration = Duration::from_mins(15);

/// How long a wrong password is remembered: long enough for a client that tries the same one again and again.
const WRONG: Duration = Duration::from_mins(1);

/// How much later than before a right one has to be used to be remembered for longer: with each request would be too often.
const RENEWED_AFTER: Duration = Duration::from_secs(10);

/// The remembered passwords. Wrong ones have a memory of their own, so that a flood of them cannot displace right ones.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    right: Mutex<Expiring<()>>,
    wrong: Mutex<Expiring<()>>,
}

impl Remembered {
    /// Whether the claim was found right, or wrong, lately.
    pub(super) fn is_right(&self, claim: &Tag, now: Instant) -> Option<bool> {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner).until(claim, now);
        if let Some(until) = right {
            // Whoever works all day is asked for one bcrypt a day, also while somebody else guesses.
            if now + RIGHT > until + RENEWED_AFTER {
                self.remember(*claim, true, now);
            }
            return Some(true);
        }
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).get(claim, now).map(|()| false)
    }

    /// Forgets everything, as if it had expired.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        for memory in [&self.right, &self.wrong] {
            *memory.lock().unwrap_or_else(PoisonError::into_inner) = Expiring::default();
        }
    }

    /// Remembers what was found.
    pub(super) fn remember(&self, claim: Tag, is_right: bool, now: Instant) {
        let (memory, lifetime) = if is_right { (&self.right, RIGHT) } else { (&self.wrong, WRONG) };
        memory.lock().unwrap_or_else(PoisonError::into_inner).insert(claim, (), now + lifetime, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_password_is_remembered_from_use_to_use() {
        let (remembered, now) = (Remembered::default(), Instant::now());
        assert_eq!(remembered.is_right(&[1; 32], now), None);
        remembered.remember([1; 32], true, now);
        let later = now + RIGHT - Duration::from_secs(1);
        assert_eq!(remembered.is_right(&[1; 32], later), Some(true));
        assert_eq!(remembered.is_right(&[1; 32], now + RIGHT), Some(true));
        assert_eq!(remembered.is_right(&[1; 32], now + RIGHT * 3), None);
    }

    #[test]
    fn a_wrong_password_is_forgotten_soon_however_often_it_is_tried() {
        let (remembered, now) = (Remembered::default(), Instant::now());
        remembered.remember([1; 32], false, now);
        assert_eq!(remembered.is_right(&[1; 32], now + WRONG / 2), Some(false));
        assert_eq!(remembered.is_right(&[2; 32], now), None);
        assert_eq!(remembered.is_right(&[1; 32], now + WRONG), None);
    }
}
