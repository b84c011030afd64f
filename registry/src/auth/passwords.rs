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
    recognized::Recognized,
    remembered::Remembered,
    throttle::{Source, Throttle},
    turns::Turns,
};
use crate::reloading::Reloading;

/// Until when whoever found the lane full should stay away.
const LANE_CLEARS: Duration = Duration::from_secs(5);

/// A hash that a password may be right for, and the keyed hash of both under which it is remembered whether it is.
type Claim<'a> = (Tag, &'a Arc<str>);

/// Checks passwords against a file that may change.
#[derive(Debug)]
pub struct Passwords {
    file: Arc<Reloading<PasswordFile>>,
    hash: KeyedHash,
    remembered: Remembered,
    recognized: Recognized,
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
            recognized: Recognized::default(),
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

    /// Whether a password that a user has is the one of this name.
    pub(super) fn has_named(&self, user: &str, name: &str) -> bool {
        let file = self.file.current();
        file.hashes_of(user).unwrap_or_default().iter().any(|hash| name_of(hash) == name)
    }

    /// Whether the user exists and the password is right, for a client at this address.
    pub async fn verify(&self, user: &str, password: &str, address: Option<IpAddr>) -> Result<(), Refusal> {
        self.matching(user, password, address).await.map(drop)
    }

    /// A name for the password, if the user exists and it is right. It changes with the password: it is a hash of its line
    /// in the file, whose salt nobody knows, so that no password can be tried on it.
    pub(super) async fn verify_named(
        &self,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<String, Refusal> {
        self.matching(user, password, address).await.map(|hash| name_of(&hash))
    }

    /// The user whose password was found right before, when it came in these credentials, which are as they were `shown`.
    pub(super) fn recognize(&self, shown: &[u8]) -> Option<Arc<str>> {
        let now = Instant::now();
        let known = self.recognized.get(&self.hash.tag(&[shown])?, &self.file.current(), now)?;
        (self.remembered.is_right(&known.claim, now) == Some(true)).then_some(known.user)
    }

    /// Whether the password was found right before, which nothing has to be waited for. What it was `shown` in is recognized
    /// then.
    pub(super) fn is_remembered(&self, user: &str, password: &str, shown: &[u8]) -> bool {
        let (file, now) = (self.file.current(), Instant::now());
        let mut claims =
            file.hashes_of(user).unwrap_or_default().iter().filter_map(|hash| self.tag(user, password, hash));
        let right = claims.find(|claim| self.remembered.is_right(claim, now) == Some(true));
        if let (Some(claim), Some(shown)) = (right, self.hash.tag(&[shown])) {
            self.recognized.keep(shown, user, claim, &file, now);
        }
        right.is_some()
    }

    fn tag(&self, user: &str, password: &str, hash: &str) -> Option<Tag> {
        self.hash.tag(&[user.as_bytes(), password.as_bytes(), hash.as_bytes()])
    }

    /// That hash of the user's which the password is right for.
    async fn matching(
        &self,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Arc<str>, Refusal> {
        let file = self.file.current();
        let known = file.hashes_of(user);
        let hashes = known.or_else(|| file.decoy(self.number_of(user))).ok_or(Refusal::Wrong)?;
        let claims = hashes.iter().map(|hash| Some((self.tag(user, password, hash)?, hash)));
        let claims = claims.collect::<Option<Vec<Claim<'_>>>>();
        let claims = claims.ok_or(Refusal::Wrong)?;
        if let Some(found) = self.remembered(&claims) {
            return found;
        }
        // One turn for all of its lines: the first stands for them.
        let _turn = self.turns.take(claims.first().ok_or(Refusal::Wrong)?.0).await;
        if let Some(found) = self.remembered(&claims) {
            return found;
        }
        let right = self.attempt(user, password, &claims, known.is_some(), address).await?;
        let right = right.ok_or(Refusal::Wrong)?;
        self.throttle.forgive(Source::user(&self.hash, user, address));
        Ok(right)
    }

    /// What is known without a comparison: that one of the hashes is the right one, or that none is.
    fn remembered(&self, claims: &[Claim<'_>]) -> Option<Result<Arc<str>, Refusal>> {
        let mut all_known = true;
        for (claim, hash) in claims {
            match self.remembered.is_right(claim, Instant::now()) {
                Some(true) => return Some(Ok(Arc::clone(hash))),
                Some(false) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(Err(Refusal::Wrong))
    }

    /// Compares the password with one hash after the other, after the delay that the attempts before have earned. It is one
    /// attempt, however many hashes there are; none is right when the user `is_known` not to be.
    async fn attempt(
        &self,
        user: &str,
        password: &str,
        claims: &[Claim<'_>],
        is_known: bool,
        address: Option<IpAddr>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let refuse = |retry_after| Refusal::TooManyAttempts { retry_after };
        let begin = self.throttle.begin(Source::user(&self.hash, user, address), Instant::now());
        sleep_until(begin.map_err(refuse)?).await;
        let place = Source::address(&self.hash, address);
        let lane = if self.throttle.suspects(place, Instant::now()) { &self.suspect } else { &self.open };
        for (claim, hash) in claims {
            let is_equal = lane.compare(password, hash).await.map_err(|Full| refuse(LANE_CLEARS))?;
            self.remembered.remember(*claim, is_equal && is_known, Instant::now());
            if is_equal && is_known {
                return Ok(Some(Arc::clone(hash)));
            }
        }
        self.throttle.note(place, Instant::now());
        Ok(None)
    }

    /// A number that stays with the name, so that who does not exist looks like always the same one who does.
    fn number_of(&self, user: &str) -> usize {
        let tag = self.hash.tag(&[user.as_bytes()]).unwrap_or_default();
        usize::from_be_bytes(std::array::from_fn(|index| tag[index]))
    }
}

/// The name of the password that a hash is of.
fn name_of(hash: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, hash.as_bytes()).as_ref()[..16])
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
        let parse = |contents: &[Vec<u8>]| Ok(PasswordFile::read(std::str::from_utf8(&contents[0])?, true)?);
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
    async fn credentials_are_recognized_until_their_password_changes() {
        let (passwords, file) = with_bob();
        let is_recognized = || passwords.recognize(b"shown").as_deref() == Some("bob");
        assert!(!passwords.is_remembered("bob", "secret", b"shown") && !is_recognized());
        assert_eq!(passwords.verify("bob", "secret", HERE).await, Ok(()));
        assert!(passwords.is_remembered("bob", "secret", b"shown") && is_recognized());
        assert!(passwords.recognize(b"shown otherwise").is_none());
        write(file.path(), "bob", "another");
        passwords.file.refresh();
        assert!(!is_recognized() && !passwords.is_remembered("bob", "secret", b"shown"));
        assert!(!passwords.is_remembered("bob", "wrong", b"shown") && !is_recognized());
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_are_recognized_for_no_longer_than_their_password_is_remembered() {
        let (passwords, _file) = with_bob();
        assert_eq!(passwords.verify("bob", "secret", HERE).await, Ok(()));
        assert!(passwords.is_remembered("bob", "secret", b"shown"));
        passwords.remembered.forget();
        assert!(passwords.recognize(b"shown").is_none());
    }

    #[tokio::test]
    async fn overlapping_passwords_are_each_right_under_their_own_names() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (old, new) = (entry("bob", "old", 4).unwrap(), entry("bob", "new", 4).unwrap());
        std::fs::write(file.path(), format!("{old}\n{new}\n")).unwrap();
        let passwords = open(file.path());
        let name = async |password| passwords.verify_named("bob", password, HERE).await;
        let (of_old, of_new) = (name("old").await.unwrap(), name("new").await.unwrap());
        assert_ne!(of_old, of_new);
        assert_eq!(name("other").await, Err(Refusal::Wrong));
        assert!(passwords.has_named("bob", &of_old) && passwords.has_named("bob", &of_new));

        std::fs::write(file.path(), new).unwrap();
        passwords.file.refresh();
        assert_eq!(name("old").await, Err(Refusal::Wrong));
        assert!(!passwords.has_named("bob", &of_old));
        // What was right before stays known, while another line of the user comes or goes.
        passwords.open.close();
        assert_eq!(name("new").await.as_deref(), Ok(of_new.as_str()));
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
