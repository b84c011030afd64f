//! How a password is replaced without anybody noticing: the next one is added, then acknowledged by every replica, then it is
//! the current one and handed out, and the one before stays good for a while.

use std::time::Duration;

use jiff::Timestamp;

use super::{Account, Credential, InForce, Retired};
use crate::registry::{credentials::Password, htpasswd};

/// The least time that a password stays good beside the one that replaced it.
const SHORTEST_GRACE: Duration = Duration::from_hours(1);

/// When a password is replaced.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How old it gets; a tenth of this is the grace of the one before.
    pub life: Duration,
    /// Whether it is replaced when it is that old.
    pub by_itself: bool,
    /// It is replaced once for each new value of this.
    pub request: Option<&'a str>,
}

impl Terms<'_> {
    fn grace(&self) -> Duration {
        (self.life / 10).max(SHORTEST_GRACE)
    }
}

impl Account {
    /// The account one step further.
    pub(super) fn advance(
        self,
        user: &str,
        terms: Terms<'_>,
        in_force: InForce<'_>,
        now: Timestamp,
    ) -> Result<Self, getrandom::Error> {
        let mut account = self;
        account.previous = account.previous.filter(|retired| now < retired.until);
        let acknowledged =
            |next: &Password| in_force.htpasswd.is_some_and(|file| htpasswd::knows(file, user, next));
        if let Some(next) = account.next.take_if(|next| acknowledged(next)) {
            account.promote(next, terms, now);
        }
        if account.next.is_none() && account.is_due(terms, now) {
            account.next = Some(Password::random()?);
            account.request = terms.request.map(str::to_owned).or(account.request);
        }
        Ok(account)
    }

    fn promote(&mut self, next: Password, terms: Terms<'_>, now: Timestamp) {
        let since = whole(now);
        let retire = |old: Credential| Retired { password: old.password, until: since + terms.grace() };
        self.previous = self.current.take().map(retire);
        self.current = Some(Credential { password: next, since });
    }

    /// By itself, a password is replaced only when the last one is not good any more, since a third would end the second's
    /// grace. Who asks for it wants that.
    fn is_due(&self, terms: Terms<'_>, now: Timestamp) -> bool {
        let asked = terms.request.is_some() && self.request.as_deref() != terms.request;
        asked || self.due_at(terms).is_some_and(|due| due <= now) || self.current.is_none()
    }

    fn due_at(&self, terms: Terms<'_>) -> Option<Timestamp> {
        let current = self.current.as_ref().filter(|_| terms.by_itself && self.previous.is_none())?;
        Some(current.since + terms.life)
    }

    /// When there is something to do, if nobody asks for anything.
    pub(super) fn next_look(&self, terms: Option<Terms<'_>>) -> Option<Timestamp> {
        let end = self.previous.as_ref().map(|retired| retired.until);
        end.or_else(|| self.due_at(terms?))
    }
}

/// Without the parts of the second, which nobody needs in a document.
pub(super) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "team-a.ci";

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    fn terms(request: Option<&str>) -> Terms<'_> {
        Terms { life: Duration::from_hours(100), by_itself: true, request }
    }

    /// The file that the replicas have when they have taken over an account.
    fn file(account: &Account) -> String {
        let current = account.current.iter().map(|current| &current.password);
        let previous = account.previous.iter().map(|retired| &retired.password);
        let lines = previous.chain(&account.next).chain(current);
        lines.map(|password| htpasswd::entry("", USER, password.as_str()).unwrap() + "\n").collect()
    }

    fn step(account: Account, terms: Terms<'_>, file: Option<&str>, hours: i64) -> Account {
        account.advance(USER, terms, InForce { htpasswd: file, rules: false }, at(hours)).unwrap()
    }

    fn password(account: &Account) -> Option<String> {
        account.current.as_ref().map(|current| current.password.as_str().to_owned())
    }

    /// An account whose first password every replica has.
    fn settled() -> Account {
        let new = step(Account::default(), terms(None), None, 0);
        let known = file(&new);
        step(new, terms(None), Some(&known), 0)
    }

    #[test]
    fn the_first_password_is_handed_out_when_every_replica_knows_it() {
        let new = step(Account::default(), terms(None), None, 0);
        assert!(new.current.is_none() && new.next.is_some());
        assert_eq!(step(new.clone(), terms(None), None, 1), new, "while it is not acknowledged");
        assert_eq!(
            step(new.clone(), terms(None), Some("other:x\n"), 1),
            new,
            "nor when they know another file"
        );
        let known = file(&new);
        let first = step(new.clone(), terms(None), Some(&known), 1);
        assert_eq!(password(&first).as_deref(), new.next.as_ref().map(Password::as_str));
        assert!(first.next.is_none() && first.previous.is_none());
    }

    #[test]
    fn a_password_is_replaced_at_the_end_of_its_life_and_stays_good_for_a_tenth_of_it() {
        let first = settled();
        assert_eq!(step(first.clone(), terms(None), None, 99), first, "before its time");
        assert_eq!(first.next_look(Some(terms(None))), Some(at(100)));

        let added = step(first.clone(), terms(None), None, 100);
        assert!(added.next.is_some() && password(&added) == password(&first), "added, and not handed out");
        let old = file(&first);
        assert_eq!(
            step(added.clone(), terms(None), Some(&old), 101),
            added,
            "the replicas have the file before"
        );
        let known = file(&added);
        let second = step(added, terms(None), Some(&known), 102);
        assert_ne!(password(&second), password(&first));
        assert_eq!(second.previous.as_ref().unwrap().until, at(112));
        assert_eq!(second.next_look(Some(terms(None))), Some(at(112)));

        assert_eq!(step(second.clone(), terms(None), Some(&known), 111), second);
        let alone = step(second, terms(None), Some(&known), 112);
        assert!(alone.previous.is_none());
    }

    #[test]
    fn a_short_life_still_leaves_an_hour_to_read_the_next_password() {
        let short = Terms { life: Duration::from_hours(1), by_itself: true, request: None };
        let mut account = settled();
        for hour in 1..=6 {
            let before = account.previous.clone();
            account = step(account.clone(), short, Some(&file(&account)), hour);
            let still_good = before.is_none_or(|old| old.until <= at(hour) || account.previous == Some(old));
            assert!(still_good, "the grace of a password ended early");
        }
    }

    #[test]
    fn a_request_replaces_it_once() {
        let first = settled();
        let added = step(first.clone(), terms(Some("now")), None, 1);
        assert!(added.next.is_some() && added.request.as_deref() == Some("now"));
        let known = file(&added);
        let second = step(added, terms(Some("now")), Some(&known), 1);
        assert_eq!(
            step(second.clone(), terms(Some("now")), Some(&known), 2),
            second,
            "not again for the same value"
        );
        assert_eq!(step(second.clone(), terms(None), Some(&known), 2), second, "nor when it is taken away");
        assert!(step(second, terms(Some("again")), Some(&known), 2).next.is_some(), "even within the grace");
    }

    #[test]
    fn generated_users_are_replaced_on_request_only() {
        let terms = Terms { life: Duration::from_hours(100), by_itself: false, request: None };
        let first = settled();
        assert_eq!(step(first.clone(), terms, None, 1000), first);
        assert_eq!(first.next_look(Some(terms)), None);
    }
}
