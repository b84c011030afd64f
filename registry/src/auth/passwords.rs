//! The check of a password against the file: what is remembered first, then bcrypt, for which whoever guesses waits.
//!
//! Nothing tells a user who does not exist from one whose password is wrong: both cost one comparison with a hash of the
//! file, are remembered alike and wait alike.

use std::{net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use tokio::time::{Instant, sleep_until};

use super::{
    htpasswd::PasswordFile,
    keyed_hash::{KeyedHash, Tag},
    lane::{Full, Lane},
    remembered::Remembered,
    throttle::{Source, Throttle},
    turns::Turns,
};
use crate::reloading::Reloading;

/// Until when whoever found the lane full should stay away.
const LANE_CLEARS: Duration = Duration::from_secs(5);

/// Checks passwords against a file that may change.
#[derive(Debug)]
pub struct Passwords {
    file: Arc<Reloading<PasswordFile>>,
    hash: KeyedHash,
    remembered: Remembered,
    turns: Turns,
    throttle: Throttle,
    /// For those who have not guessed wrongly often. It leaves half of the cores to the requests that need no bcrypt.
    open: Lane,
    /// For those who come from where many wrong passwords came from: they wait for one another, and for nobody else.
    suspect: Lane,
}

/// Why nobody comes in with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is wrong, or the user does not exist.
    Wrong,
    /// It was not looked at, because too many were wrong lately.
    TooManyAttempts {
        /// How long to stay away.
        retry_after: Duration,
    },
}

impl Passwords {
    /// Checks against this file.
    pub fn new(file: Reloading<PasswordFile>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            file: Arc::new(file),
            hash: KeyedHash::new(),
            remembered: Remembered::default(),
            turns: Turns::default(),
            throttle: Throttle::default(),
            open: Lane::new(cores.div_ceil(2)),
            suspect: Lane::new(1),
        }
    }

    /// The file.
    pub(super) fn file(&self) -> &Arc<Reloading<PasswordFile>> {
        &self.file
    }

    /// A name for the password that a user has, which changes with it; `None` if there is no such user. It is a hash of the
    /// line of the file, whose salt nobody knows, so that no password can be tried on it.
    pub(super) fn name_of_password(&self, user: &str) -> Option<String> {
        let file = self.file.current();
        let hash = digest(&SHA256, file.hash_of(user)?.as_bytes());
        Some(URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]))
    }

    /// Whether the user exists and the password is right, for a client at this address.
    pub async fn verify(&self, user: &str, password: &str, address: Option<IpAddr>) -> Result<(), Refusal> {
        let file = self.file.current();
        let known = file.hash_of(user);
        let hash = known.or_else(|| file.decoy(self.number_of(user))).ok_or(Refusal::Wrong)?;
        let claim = self.hash.tag(&[user.as_bytes(), password.as_bytes(), hash.as_bytes()]);
        let claim = claim.ok_or(Refusal::Wrong)?;
        if let Some(found) = self.remembered(&claim) {
            return found;
        }
        let _turn = self.turns.take(claim).await;
        if let Some(found) = self.remembered(&claim) {
            return found;
        }
        let is_right = self.attempt(user, password, hash, address).await? && known.is_some();
        self.remembered.remember(claim, is_right, Instant::now());
        if is_right {
            self.throttle.forgive(Source::user(&self.hash, user, address));
        }
        verdict(is_right)
    }

    fn remembered(&self, claim: &Tag) -> Option<Result<(), Refusal>> {
        self.remembered.is_right(claim, Instant::now()).map(verdict)
    }

    /// Compares the password with the hash, after the delay that the attempts before have earned.
    async fn attempt(
        &self,
        user: &str,
        password: &str,
        hash: &Arc<str>,
        address: Option<IpAddr>,
    ) -> Result<bool, Refusal> {
        let refuse = |retry_after| Refusal::TooManyAttempts { retry_after };
        let begin = self.throttle.begin(Source::user(&self.hash, user, address), Instant::now());
        sleep_until(begin.map_err(refuse)?).await;
        let place = Source::address(&self.hash, address);
        let lane = if self.throttle.suspects(place, Instant::now()) { &self.suspect } else { &self.open };
        let is_right = lane.compare(password, hash).await.map_err(|Full| refuse(LANE_CLEARS))?;
        if !is_right {
            self.throttle.note(place, Instant::now());
        }
        Ok(is_right)
    }

    /// A number that stays with the name, so that who does not exist looks like always the same one who does.
    fn number_of(&self, user: &str) -> usize {
        let tag = self.hash.tag(&[user.as_bytes()]).unwrap_or_default();
        usize::from_be_bytes(std::array::from_fn(|index| tag[index]))
    }
}

fn verdict(is_right: bool) -> Result<(), Refusal> {
    if is_right { Ok(()) } else { Err(Refusal::Wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::htpasswd::entry;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    fn write(path: &std::path::Path, user: &str, password: &str) {
        std::fs::write(path, entry(user, password, 4).unwrap()).unwrap();
    }

    fn open(path: &std::path::Path) -> Passwords {
        let parse = |contents: &[Vec<u8>]| Ok(std::str::from_utf8(&contents[0])?.parse()?);
        Passwords::new(Reloading::open("the password file", vec![path.to_owned()], parse).unwrap())
    }

    /// A file in which the password of `bob` is `secret`.
    fn with_bob() -> (Passwords, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), "bob", "secret");
        (open(file.path()), file)
    }

    /// Begins attempts until the next one is sent away, without the comparisons.
    fn exhaust(passwords: &Passwords, user: &str, address: Option<IpAddr>) {
        let source = Source::user(&passwords.hash, user, address);
        while passwords.throttle.begin(source, Instant::now()).is_ok() {}
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_is_accepted() {
        let (passwords, _file) = with_bob();
        assert_eq!(passwords.verify("bob", "secret", HERE).await, Ok(()));
        for (user, password) in [("bob", "wrong"), ("eve", "secret"), ("", "")] {
            assert_eq!(passwords.verify(user, password, HERE).await, Err(Refusal::Wrong), "{user}");
        }
    }

    #[tokio::test]
    async fn a_password_that_is_tried_again_costs_no_bcrypt() {
        let (passwords, _file) = with_bob();
        for (user, password, expected) in [
            ("bob", "secret", Ok(())),
            ("bob", "wrong", Err(Refusal::Wrong)),
            ("eve", "secret", Err(Refusal::Wrong)),
        ] {
            assert_eq!(passwords.verify(user, password, HERE).await, expected, "{user}");
        }
        // Nobody could run bcrypt any more.
        passwords.open.close();
        assert_eq!(passwords.verify("bob", "secret", HERE).await, Ok(()));
        assert_eq!(passwords.verify("bob", "wrong", HERE).await, Err(Refusal::Wrong));
        assert_eq!(passwords.verify("eve", "secret", HERE).await, Err(Refusal::Wrong));
        let another = passwords.verify("bob", "another", HERE).await;
        assert!(matches!(another, Err(Refusal::TooManyAttempts { .. })), "{another:?}");
    }

    #[tokio::test]
    async fn a_changed_password_replaces_the_old_one_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), "bob", "old");
        let passwords = open(file.path());
        assert_eq!(passwords.verify("bob", "old", HERE).await, Ok(()));
        assert_eq!(passwords.verify("bob", "new", HERE).await, Err(Refusal::Wrong));
        write(file.path(), "bob", "new");
        passwords.file.refresh();
        assert_eq!(passwords.verify("bob", "old", HERE).await, Err(Refusal::Wrong));
        assert_eq!(passwords.verify("bob", "new", HERE).await, Ok(()));
    }

    #[tokio::test]
    async fn whoever_has_guessed_too_often_is_sent_away_and_the_user_elsewhere_is_not() {
        let (passwords, _file) = with_bob();
        exhaust(&passwords, "bob", HERE);
        exhaust(&passwords, "eve", HERE);
        for user in ["bob", "eve"] {
            let refused = passwords.verify(user, "guess", HERE).await;
            assert!(matches!(refused, Err(Refusal::TooManyAttempts { .. })), "{user}: {refused:?}");
        }
        assert_eq!(passwords.verify("bob", "secret", THERE).await, Ok(()));
        // What was found right there is known here.
        assert_eq!(passwords.verify("bob", "secret", HERE).await, Ok(()));
    }

    #[tokio::test]
    async fn many_requests_at_once_with_one_password_are_one_attempt() {
        let (passwords, _file) = with_bob();
        let requests = (0..100).map(|_| passwords.verify("bob", "secret", HERE));
        let verdicts = futures::future::join_all(requests).await;
        assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    }

    #[tokio::test]
    async fn who_comes_from_a_place_of_many_failures_waits_for_nobody_else() {
        let (passwords, _file) = with_bob();
        let place = Source::address(&passwords.hash, HERE);
        while !passwords.throttle.suspects(place, Instant::now()) {
            passwords.throttle.note(place, Instant::now());
        }
        passwords.suspect.close();
        let refused = passwords.verify("eve", "guess", HERE).await;
        assert!(matches!(refused, Err(Refusal::TooManyAttempts { .. })), "{refused:?}");
        assert_eq!(passwords.verify("bob", "secret", THERE).await, Ok(()));
    }
}
