//! The steps of a rotation. Each is decided by what is stored and what is seen, and by the time.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{Authority, Phase, Rotation, stored};
use crate::registry::{
    certificates::{self, CertificateError, KeyPair, days},
    chain,
    credentials::text,
};

/// An authority is replaced by one with a new key when it has less than this left.
const ROTATION_MARGIN: Duration = days(365);

/// An authority that could not be replaced until it has less than this left is prolonged meanwhile: it gets a new
/// certificate for the same key, which needs no trust that is not there.
const PROLONGATION_MARGIN: Duration = days(180);

/// How long the phases of a rotation last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// From the publication of the next authority until it signs. The kubelet brings a changed ConfigMap to pods within
    /// about two minutes; the rest is for what copies the authority elsewhere.
    pub trust: Duration,
    /// From the first certificate of the new authority until the previous one leaves. Every replica serves the new
    /// certificate within minutes; the rest is for a node that is cut off and comes back.
    pub grace: Duration,
}

/// What the next step depends on.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The name of the Registry.
    pub name: &'a str,
    /// The value of the annotation that asks for a rotation.
    pub request: Option<&'a str>,
    /// Secret `NAME-ca`.
    pub stored: Option<&'a Secret>,
    /// Secret `NAME-tls`.
    pub serving: Option<&'a Secret>,
    /// What clients are told to trust so far, in each of the places where they look.
    pub published: Vec<Option<String>>,
}

/// What tells whether those who have to trust the next authority do. Nodes that acknowledge it belong here.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Since when it is published everywhere.
    pub since: Timestamp,
    /// How long those who follow it are given.
    pub trust: Duration,
}

/// Whether the next authority may sign.
pub fn may_switch(spread: &Spread, now: Timestamp) -> bool {
    now >= spread.since + spread.trust
}

/// The authority after whatever is to be done with it now.
pub fn advance(seen: &Seen<'_>, periods: Periods, now: Timestamp) -> Result<Authority, CertificateError> {
    let Some(authority) = seen.stored.and_then(stored::read) else {
        return replacement(seen, now);
    };
    let authority = prolonged(begun(authority, seen, now)?, now)?;
    Ok(stepped(authority, seen, periods, now))
}

/// How long it is until the next step.
pub fn next_step(authority: &Authority, periods: Periods, now: Timestamp) -> Option<Duration> {
    let end = authority.rotation.as_ref()?.end(periods)?;
    Some(Duration::try_from(end.duration_since(now)).unwrap_or_default())
}

impl Rotation {
    /// When its phase ends, if it does.
    pub(super) fn end(&self, periods: Periods) -> Option<Timestamp> {
        match self.phase {
            Phase::Trusting { .. } => Some(self.since + periods.trust),
            Phase::Serving { .. } => Some(self.since + periods.grace),
            Phase::Done => None,
        }
    }

    fn is_running(&self) -> bool {
        !matches!(self.phase, Phase::Done)
    }
}

/// The first authority, or one instead of an authority that was lost. As long as the certificate that this one signed
/// is there, clients go on trusting it, and it takes a rotation to replace it.
fn replacement(seen: &Seen<'_>, now: Timestamp) -> Result<Authority, CertificateError> {
    let request = seen.request.map(str::to_owned);
    if let Some(certificate) = seen.serving.and_then(|serving| still_trusted(serving, now)) {
        let signing = KeyPair { certificate, key: String::new() };
        let rotation = Some(Rotation::new(Phase::Trusting { next: next(seen.name, now)? }, now));
        return Ok(Authority { signing, rotation, request });
    }
    let signing = certificates::issue_authority(seen.name, None, now)?;
    let rotation = seen.request.map(|_| Rotation::new(Phase::Done, now));
    Ok(Authority { signing, rotation, request })
}

fn still_trusted(serving: &Secret, now: Timestamp) -> Option<String> {
    let (certificate, authorities) = (text(serving, "tls.crt")?, text(serving, "ca.crt")?);
    chain::verify(&certificate, &authorities, now).is_ok().then_some(authorities)
}

/// The date tells authorities of one Registry apart.
fn next(name: &str, now: Timestamp) -> Result<KeyPair, CertificateError> {
    certificates::issue_authority(&format!("{name} {}", now.strftime("%Y%m%d")), None, now)
}

/// Begins a rotation if there is a reason and none is running; a second one waits.
fn begun(mut authority: Authority, seen: &Seen<'_>, now: Timestamp) -> Result<Authority, CertificateError> {
    if authority.rotation.as_ref().is_some_and(Rotation::is_running) {
        return Ok(authority);
    }
    let asked = seen.request.is_some() && seen.request != authority.request.as_deref();
    if asked {
        authority.request = seen.request.map(str::to_owned);
    }
    if asked || !certificates::lasts(&authority.signing.certificate, ROTATION_MARGIN, now) {
        authority.rotation = Some(Rotation::new(Phase::Trusting { next: next(seen.name, now)? }, now));
    }
    Ok(authority)
}

fn prolonged(mut authority: Authority, now: Timestamp) -> Result<Authority, CertificateError> {
    if !authority.is_lost() && !certificates::lasts(&authority.signing.certificate, PROLONGATION_MARGIN, now)
    {
        authority.signing = certificates::prolong_authority(&authority.signing, now)?;
    }
    Ok(authority)
}

/// A phase counts from when what it waits for is seen to be so.
fn stepped(mut authority: Authority, seen: &Seen<'_>, periods: Periods, now: Timestamp) -> Authority {
    let bundle = authority.bundle();
    let Some(Rotation { phase, since }) = authority.rotation.clone() else { return authority };
    let begun = match &phase {
        Phase::Trusting { .. } => {
            seen.published.iter().all(|published| published.as_deref() == Some(&bundle))
        }
        Phase::Serving { .. } => is_served(&authority, seen, now),
        Phase::Done => return authority,
    };
    if !begun {
        authority.rotation = Some(Rotation::new(phase, now));
        return authority;
    }
    match phase {
        Phase::Trusting { .. } if may_switch(&Spread { since, trust: periods.trust }, now) => {
            authority.switched(now)
        }
        Phase::Serving { .. } if now >= since + periods.grace => {
            Authority { rotation: Some(Rotation::new(Phase::Done, now)), ..authority }
        }
        _ => authority,
    }
}

fn is_served(authority: &Authority, seen: &Seen<'_>, now: Timestamp) -> bool {
    let certificate = seen.serving.and_then(|serving| text(serving, "tls.crt"));
    certificate.is_some_and(|leaf| chain::verify(&leaf, &authority.signing.certificate, now).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{
        authority::stored::tests::secret as stored, credentials::tests::secret, validate::Finding,
    };
    use crate::{fixtures::settings, registry::authority::finding};
    use berth_crds::Reason;

    const NAMES: [&str; 1] = ["hub.default.svc"];

    fn start() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn periods() -> Periods {
        settings().rotation
    }

    /// What the API server holds. Every look at it is the first of an operator that has just started.
    #[derive(Clone)]
    struct Stored {
        authority: Option<Secret>,
        serving: Option<Secret>,
        published: Option<String>,
    }

    impl Stored {
        fn nothing() -> Self {
            Self { authority: None, serving: None, published: None }
        }

        /// A look, of which everything is applied.
        fn look(&mut self, request: Option<&str>, now: Timestamp) -> Authority {
            let authority = self.interrupted_look(request, now);
            self.published = Some(authority.bundle());
            authority
        }

        /// A look after which the operator was ended before it published the authorities.
        fn interrupted_look(&mut self, request: Option<&str>, now: Timestamp) -> Authority {
            let seen = Seen {
                name: "hub",
                request,
                stored: self.authority.as_ref(),
                serving: self.serving.as_ref(),
                published: vec![self.published.clone()],
            };
            let authority = advance(&seen, periods(), now).unwrap();
            let kept = self.serving.as_ref().and_then(|serving| text(serving, "tls.crt")).filter(|leaf| {
                certificates::lasts(leaf, days(30), now)
                    && chain::verify(leaf, &authority.signing.certificate, now).is_ok()
            });
            let (authority, leaf) = match kept {
                Some(leaf) => (authority, leaf),
                None => signed(authority, now),
            };
            self.authority = Some(stored(&authority));
            self.serving = Some(secret([("tls.crt", &leaf), ("ca.crt", &authority.bundle())]));
            authority
        }

        fn leaf(&self) -> String {
            text(self.serving.as_ref().unwrap(), "tls.crt").unwrap()
        }

        fn is_trusted_by(&self, authorities: &str, now: Timestamp) -> bool {
            chain::verify(&self.leaf(), authorities, now).is_ok()
        }
    }

    fn signed(authority: Authority, now: Timestamp) -> (Authority, String) {
        let authority = authority.able_to_sign(now);
        let names = NAMES.map(str::to_owned);
        let leaf = certificates::issue_serving(&authority.signing, "hub", &names, now).unwrap();
        (authority, leaf.certificate)
    }

    fn minutes(count: u64) -> Duration {
        Duration::from_mins(count)
    }

    #[test]
    fn a_rotation_publishes_then_switches_then_lets_the_old_one_go() {
        let mut cluster = Stored::nothing();
        let old = cluster.look(None, start()).bundle();

        let trusting = cluster.look(Some("1"), start());
        assert!(matches!(trusting.phase(), Some(Phase::Trusting { .. })));
        assert!(trusting.bundle().starts_with(&old) && trusting.bundle().len() > old.len());
        assert_eq!(next_step(&trusting, periods(), start()), Some(minutes(60)));
        assert_eq!(cluster.look(Some("1"), start() + minutes(59)), trusting);
        assert!(cluster.is_trusted_by(&old, start()));

        let switched = start() + minutes(60);
        let serving = cluster.look(Some("1"), switched);
        assert!(matches!(serving.phase(), Some(Phase::Serving { .. })));
        let new = serving.signing.certificate.clone();
        assert_eq!(serving.bundle(), format!("{new}{old}"));
        assert!(cluster.is_trusted_by(&new, switched) && !cluster.is_trusted_by(&old, switched));
        assert!(cluster.is_trusted_by(&trusting.bundle(), switched), "whoever took both trusts the new one");
        assert!(text(cluster.authority.as_ref().unwrap(), "next.key").is_none());
        assert_eq!(cluster.look(Some("1"), switched + minutes(24 * 60 - 1)), serving);

        let done = cluster.look(Some("1"), switched + minutes(24 * 60));
        assert_eq!((done.phase(), done.bundle()), (Some(&Phase::Done), new));
        assert_eq!(next_step(&done, periods(), switched), None);
        assert_eq!(cluster.look(Some("1"), switched + days(100)), done, "one value asks once");
        assert_eq!(cluster.look(None, switched + days(100)), done);
    }

    #[test]
    fn the_wait_begins_when_both_are_published_and_again_when_they_are_not() {
        let mut cluster = Stored::nothing();
        cluster.look(None, start());
        cluster.interrupted_look(Some("1"), start());
        let late = start() + minutes(600);
        let published = cluster.look(Some("1"), late);
        assert_eq!(published.rotation.as_ref().unwrap().since, late);
        cluster.published = None;
        let again = cluster.look(Some("1"), late + minutes(61));
        assert!(matches!(again.phase(), Some(Phase::Trusting { .. })), "{:?}", again.rotation);
        assert_eq!(again.rotation.unwrap().since, late + minutes(61));
    }

    #[test]
    fn the_old_one_stays_for_as_long_as_its_certificate_is_served() {
        let mut cluster = Stored::nothing();
        cluster.look(None, start());
        let old = cluster.serving.clone();
        cluster.look(Some("1"), start());
        cluster.look(Some("1"), start() + minutes(60));
        cluster.serving = old;
        let late = start() + minutes(60 * 48);
        let serving = cluster.look(Some("1"), late);
        assert_eq!(serving.rotation.unwrap().since, late);
    }

    #[test]
    fn a_second_request_waits_for_the_first_to_end() {
        let mut cluster = Stored::nothing();
        cluster.look(None, start());
        let first = cluster.look(Some("1"), start());
        let waiting = cluster.look(Some("2"), start() + minutes(1));
        assert_eq!(waiting, first);
        let told = finding(&waiting, Some("2"), periods()).unwrap();
        assert!(
            told.message.ends_with("then follows the rotation that berth.dev/rotate-ca asks for"),
            "{told:?}"
        );
        cluster.look(Some("2"), start() + minutes(60));
        cluster.look(Some("2"), start() + minutes(60 * 25));
        let second = cluster.look(Some("2"), start() + minutes(60 * 25));
        assert!(matches!(second.phase(), Some(Phase::Trusting { .. })));
        assert_eq!(second.request.as_deref(), Some("2"));
    }

    #[test]
    fn a_first_authority_takes_a_request_for_done() {
        let mut cluster = Stored::nothing();
        let first = cluster.look(Some("1"), start());
        assert_eq!((first.phase(), first.request.as_deref()), (Some(&Phase::Done), Some("1")));
        assert_eq!(cluster.look(Some("1"), start() + minutes(5)), first);
        assert!(finding(&first, Some("1"), periods()).is_none());
    }

    #[test]
    fn an_authority_is_replaced_a_year_before_its_end() {
        let mut cluster = Stored::nothing();
        let first = cluster.look(None, start());
        assert_eq!(cluster.look(None, start() + days(3650 - 366)), first);
        let replaced = cluster.look(None, start() + days(3650 - 365));
        assert!(matches!(replaced.phase(), Some(Phase::Trusting { .. })));
        assert_eq!(replaced.signing, first.signing);
    }

    #[test]
    fn an_authority_that_could_not_be_replaced_in_time_is_prolonged_with_the_same_key() {
        let mut cluster = Stored::nothing();
        let first = cluster.look(None, start());
        let late = start() + days(3650 - 100);
        let prolonged = cluster.look(None, late);
        assert_eq!(prolonged.signing.key, first.signing.key);
        assert_ne!(prolonged.signing.certificate, first.signing.certificate);
        assert!(matches!(prolonged.phase(), Some(Phase::Trusting { .. })), "and its replacement begins");
        assert!(cluster.is_trusted_by(&first.bundle(), late));
    }

    #[test]
    fn a_lost_authority_stays_trusted_until_the_next_one_is() {
        let mut cluster = Stored::nothing();
        let old = cluster.look(None, start()).bundle();
        cluster.authority = None;
        let lost = cluster.look(None, start() + minutes(5));
        assert!(lost.is_lost() && lost.bundle().starts_with(&old));
        assert!(cluster.is_trusted_by(&old, start() + minutes(5)));
        let Finding { good, reason, .. } = finding(&lost, None, periods()).unwrap();
        assert_eq!((good, reason), (true, Reason::AuthorityLost));

        let serving = cluster.look(None, start() + minutes(65));
        assert!(!serving.is_lost() && serving.bundle().ends_with(&old));
        assert!(cluster.is_trusted_by(&serving.signing.certificate, start() + minutes(65)));
    }

    #[test]
    fn an_authority_lost_in_the_middle_of_a_rotation_leaves_both_trusted() {
        for after in [minutes(1), minutes(60)] {
            let mut cluster = Stored::nothing();
            let old = cluster.look(None, start()).bundle();
            cluster.look(Some("1"), start());
            let before = cluster.look(Some("1"), start() + after);
            cluster.authority = None;
            let healed = cluster.look(Some("1"), start() + after + minutes(1));
            assert!(healed.bundle().contains(&old) && healed.bundle().starts_with(&before.bundle()));
            assert!(cluster.is_trusted_by(&before.bundle(), start() + after + minutes(1)));
            assert_eq!(healed.request.as_deref(), Some("1"));
        }
    }

    #[test]
    fn a_certificate_that_has_to_be_new_does_not_wait_for_a_lost_authority() {
        let mut cluster = Stored::nothing();
        let old = cluster.look(None, start()).bundle();
        cluster.authority = None;
        cluster.look(None, start() + days(58));
        cluster.published = None; // it cannot be published, so the wait does not begin
        let forced = cluster.look(None, start() + days(61));
        assert!(matches!(forced.phase(), Some(Phase::Serving { .. })));
        assert!(forced.bundle().ends_with(&old) && !forced.is_lost());
    }

    #[test]
    fn without_anything_that_it_signed_a_lost_authority_is_forgotten() {
        let mut cluster = Stored::nothing();
        let first = cluster.look(None, start());
        (cluster.authority, cluster.serving) = (None, None);
        let second = cluster.look(None, start());
        assert_eq!(second.rotation, None);
        assert_ne!(second.signing, first.signing);
    }
}
