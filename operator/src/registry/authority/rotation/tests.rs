//! A rotation from its request to its end, each look at the stored state that of an operator that has just started.

use berth_crds::Reason;

use super::*;
use crate::{
    fixtures::settings,
    registry::{
        authority::{finding, stored::tests::secret as stored},
        credentials::tests::secret,
        validate::Finding,
    },
};

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
    nodes: Option<Known>,
}

impl Stored {
    fn nothing() -> Self {
        Self { authority: None, serving: None, published: None, nodes: None }
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
            nodes: self.nodes.as_ref(),
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
fn what_cannot_be_published_is_not_written_down_at_every_look() {
    let mut cluster = Stored::nothing();
    cluster.look(None, start());
    let refused = cluster.interrupted_look(Some("1"), start());
    let seconds = |count| start() + Duration::from_secs(count);
    assert_eq!(cluster.interrupted_look(Some("1"), seconds(59)), refused);
    assert_ne!(cluster.interrupted_look(Some("1"), seconds(60)), refused);
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

#[test]
fn the_next_authority_signs_when_the_nodes_trust_it_or_have_been_silent_for_a_day() {
    let mut cluster = Stored::nothing();
    cluster.look(None, start());
    let bundle = cluster.look(Some("1"), start()).bundle();
    cluster.nodes = Some(Known { authorities: Some(bundle), unaware: 1 });
    let waiting = cluster.look(Some("1"), start() + minutes(61));
    assert!(matches!(waiting.phase(), Some(Phase::Trusting { .. })));
    assert_eq!(next_step(&waiting, periods(), start() + minutes(61)), Some(NODES_RETRY));

    let mut acknowledged = cluster.clone();
    acknowledged.nodes = acknowledged.nodes.map(|nodes| Known { unaware: 0, ..nodes });
    let mut untold = acknowledged.clone();
    let serving = acknowledged.look(Some("1"), start() + minutes(62));
    assert!(matches!(serving.phase(), Some(Phase::Serving { .. })));

    untold.nodes = Some(Known { authorities: Some("of before".to_owned()), unaware: 0 });
    let waiting = untold.look(Some("1"), start() + minutes(62));
    assert!(matches!(waiting.phase(), Some(Phase::Trusting { .. })), "nodes were not told of it yet");

    cluster.look(Some("1"), start() + minutes(60) + days(1) - minutes(1));
    let silent = cluster.look(Some("1"), start() + minutes(60) + days(1));
    assert!(matches!(silent.phase(), Some(Phase::Serving { .. })));
}
