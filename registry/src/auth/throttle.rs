//! Who has guessed wrongly waits, longer each time: a user's name from one address, not the user from everywhere.
//!
//! An attempt counts as soon as it begins, so that many at once gain nothing, and a right password wipes the count. The
//! address is that of the connection; behind a proxy, all clients have the proxy's.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    expiring::Expiring,
    keyed_hash::{KeyedHash, Tag},
};

/// So many attempts are free: people mistype.
const FREE: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// Nobody is kept waiting longer than this; whoever would have to is sent away.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long attempts count after the last one.
const MEMORY: Duration = Duration::from_mins(15);

/// The attempts that count.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    attempts: Mutex<Expiring<Attempts>>,
}

#[derive(Clone, Copy, Debug)]
struct Attempts {
    count: u32,
    /// When the next one may begin.
    next: Instant,
}

/// Who tries: a name and an address, or an address alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source(Option<Tag>);

impl Source {
    /// A user's name from an address.
    pub(super) fn user(hash: &KeyedHash, user: &str, address: Option<IpAddr>) -> Self {
        Self(hash.tag(&[b"user", user.as_bytes(), address_bytes(address).as_bytes()]))
    }

    /// Whoever comes from an address.
    pub(super) fn address(hash: &KeyedHash, address: Option<IpAddr>) -> Self {
        Self(hash.tag(&[b"address", address_bytes(address).as_bytes()]))
    }
}

/// A home or an office has a network of IPv6 rather than an address.
fn address_bytes(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => format!("{:x?}", &address.segments()[..4]),
        Some(IpAddr::V4(address)) => address.to_string(),
        None => String::new(),
    }
}

impl Throttle {
    /// Counts an attempt, and returns when it may begin; as an error, how long to stay away.
    pub(super) fn begin(&self, source: Source, now: Instant) -> Result<Instant, Duration> {
        let Some(tag) = source.0 else { return Ok(now) };
        let mut all = self.attempts();
        let before = all.get(&tag, now).copied().unwrap_or(Attempts { count: 0, next: now });
        let begin = before.next.max(now);
        if begin - now > LONGEST_WAIT {
            return Err(begin - now);
        }
        let count = before.count.saturating_add(1);
        let next = begin + delay_after(count);
        all.insert(tag, Attempts { count, next }, next + MEMORY, now);
        Ok(begin)
    }

    /// Counts an attempt that was wrong, and for which nobody has to wait.
    pub(super) fn note(&self, source: Source, now: Instant) {
        let Some(tag) = source.0 else { return };
        let mut all = self.attempts();
        let count = all.get(&tag, now).map_or(0, |past| past.count).saturating_add(1);
        all.insert(tag, Attempts { count, next: now }, now + MEMORY, now);
    }

    /// Whether more attempts came from there than are free.
    pub(super) fn suspects(&self, source: Source, now: Instant) -> bool {
        source.0.is_some_and(|tag| self.attempts().get(&tag, now).is_some_and(|past| past.count > FREE))
    }

    /// Wipes the attempts: the last one was right.
    pub(super) fn forgive(&self, source: Source) {
        if let Some(tag) = source.0 {
            self.attempts().remove(&tag);
        }
    }

    fn attempts(&self) -> MutexGuard<'_, Expiring<Attempts>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between the attempt of this number and the next one.
fn delay_after(count: u32) -> Duration {
    match count.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(excess) => FIRST_DELAY.saturating_mul(1 << excess.min(16)).min(LONGEST_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(user: &str, address: &str) -> (KeyedHash, Source) {
        let hash = KeyedHash::new();
        let source = Source::user(&hash, user, Some(address.parse().unwrap()));
        (hash, source)
    }

    /// How long each of `count` attempts has to wait that come one upon the other.
    fn waits(throttle: &Throttle, source: Source, now: Instant, count: usize) -> Vec<Option<Duration>> {
        (0..count).map(|_| throttle.begin(source, now).ok().map(|begin| begin - now)).collect()
    }

    #[test]
    fn the_first_attempts_are_free_and_each_further_one_waits_longer() {
        let (_, bob) = source("bob", "192.0.2.1");
        let waits = waits(&Throttle::default(), bob, Instant::now(), 20);
        let expected = [0, 0, 0, 0, 0, 250, 750, 1750, 3750, 7750];
        assert_eq!(waits[..10], expected.map(|wait| Some(Duration::from_millis(wait))));
        assert_eq!(waits[10..], [None; 10]);
    }

    #[test]
    fn whoever_stays_away_is_heard_again_and_forgotten_in_the_end() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let (_, bob) = source("bob", "192.0.2.1");
        waits(&throttle, bob, now, 20);
        let away = throttle.begin(bob, now).unwrap_err();
        assert!(away > LONGEST_WAIT && away <= LONGEST_WAIT * 2, "{away:?}");
        assert_eq!(throttle.begin(bob, now + away), Ok(now + away));
        assert!(throttle.suspects(bob, now + away));
        let much_later = now + away + MEMORY + LONGEST_DELAY;
        assert!(!throttle.suspects(bob, much_later));
        assert_eq!(waits(&throttle, bob, much_later, 5), [Some(Duration::ZERO); 5]);
    }

    #[test]
    fn a_right_password_wipes_the_attempts() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let (_, bob) = source("bob", "192.0.2.1");
        waits(&throttle, bob, now, 20);
        throttle.forgive(bob);
        assert_eq!(throttle.begin(bob, now), Ok(now));
    }

    #[test]
    fn others_do_not_wait_for_the_attempts_of_one() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let (hash, bob) = source("bob", "192.0.2.1");
        waits(&throttle, bob, now, 20);
        for (user, address) in [("bob", "192.0.2.2"), ("eve", "192.0.2.1"), ("bob", "2001:db8::1")] {
            let other = Source::user(&hash, user, Some(address.parse().unwrap()));
            assert_eq!(throttle.begin(other, now), Ok(now), "{user} {address}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let (hash, bob) = source("bob", "2001:db8:1:2::1");
        waits(&throttle, bob, now, 20);
        let neighbour = Source::user(&hash, "bob", Some("2001:db8:1:2:ffff::9".parse().unwrap()));
        assert!(throttle.begin(neighbour, now).is_err());
        let stranger = Source::user(&hash, "bob", Some("2001:db8:1:3::1".parse().unwrap()));
        assert!(throttle.begin(stranger, now).is_ok());
    }
}
