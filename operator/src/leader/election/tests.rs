//! Two candidates, one record, and clocks that are whatever a test says.

use kube::api::ObjectMeta;

use super::*;

/// What the API server keeps: it takes a record only from who has read the newest.
#[derive(Default)]
struct Store {
    lease: Option<Lease>,
    writes: u32,
}

impl Store {
    fn write(&mut self, spec: LeaseSpec) {
        self.writes += 1;
        let metadata =
            ObjectMeta { resource_version: Some(self.writes.to_string()), ..ObjectMeta::default() };
        self.lease = Some(Lease { metadata, spec: Some(spec) });
    }

    /// Lets a candidate look, and write what it wants. Says whether it may rely on the lease.
    fn visit(&mut self, candidate: &mut Election, seconds: u64) -> bool {
        let claim = candidate.claim(self.lease.as_ref(), at(seconds), Timestamp::UNIX_EPOCH);
        let claimed = claim.is_some();
        if let Some(spec) = claim {
            self.write(spec);
        }
        claimed
    }

    fn holder(&self) -> Option<&str> {
        self.lease.as_ref()?.spec.as_ref()?.holder_identity.as_deref()
    }
}

fn at(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn candidates() -> (Election, Election) {
    (Election::new("one".to_owned()), Election::new("two".to_owned()))
}

#[test]
fn the_first_to_come_takes_the_lease_and_keeps_it() {
    let (mut store, (mut one, mut two)) = (Store::default(), candidates());
    for second in (0..100).step_by(2) {
        assert!(store.visit(&mut one, second));
        assert!(!store.visit(&mut two, second + 1));
    }
}

#[test]
fn a_lease_that_is_not_renewed_is_taken_after_its_duration_and_not_before() {
    let (mut store, (mut one, mut two)) = (Store::default(), candidates());
    store.visit(&mut one, 0);
    assert!(!store.visit(&mut two, 7));
    assert!(!store.visit(&mut two, 7 + DURATION.as_secs() - 1));
    assert!(store.visit(&mut two, 7 + DURATION.as_secs()));
    assert_eq!(store.holder(), Some("two"));
    assert!(!store.visit(&mut one, 23));
}

#[test]
fn the_holder_gives_up_before_another_can_take_over() {
    // The holder counts from before it asked, the others from after they were answered.
    assert!(CERTAIN < DURATION);
}

#[test]
fn clocks_that_differ_by_years_change_nothing() {
    let (mut store, (mut one, mut two)) = (Store::default(), candidates());
    let (past, years) = (Timestamp::UNIX_EPOCH, 1_000_000_000);
    store.write(one.claim(None, at(0), past).unwrap());
    for second in (0..60).step_by(2) {
        assert!(!store.visit(&mut two, years + second), "what is renewed is not taken");
        let renewed = one.claim(store.lease.as_ref(), at(second), past).unwrap();
        store.write(renewed);
    }
    assert!(!store.visit(&mut two, years + 60));
    assert!(store.visit(&mut two, years + 75));
}

#[test]
fn the_holder_says_how_long_its_record_lasts() {
    let (mut store, (mut one, mut two)) = (Store::default(), candidates());
    let record = one.claim(None, at(0), Timestamp::UNIX_EPOCH).unwrap();
    store.write(LeaseSpec { lease_duration_seconds: Some(60), ..record });
    assert!(!store.visit(&mut two, 0));
    assert!(!store.visit(&mut two, 59));
    assert!(store.visit(&mut two, 60));
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let (mut store, (mut one, mut two)) = (Store::default(), candidates());
    store.visit(&mut one, 0);
    store.visit(&mut two, 1);
    let released = one.release(store.lease.as_ref().unwrap()).unwrap();
    store.write(released);
    assert!(store.visit(&mut two, 2));
    assert_eq!(one.release(store.lease.as_ref().unwrap()), None, "another's lease is not released");
}

#[test]
fn who_was_out_of_reach_takes_up_a_lease_that_nobody_took() {
    let (mut store, (mut one, _)) = (Store::default(), candidates());
    store.visit(&mut one, 0);
    assert!(store.visit(&mut one, 1000));
}

#[test]
fn each_change_of_the_holder_is_counted() {
    let (mut store, (mut one, mut two)) = (Store::default(), candidates());
    let count = |store: &Store| store.lease.as_ref().unwrap().spec.as_ref().unwrap().lease_transitions;
    store.visit(&mut one, 0);
    store.visit(&mut one, 2);
    assert_eq!(count(&store), Some(0));
    store.visit(&mut two, 3);
    store.visit(&mut two, 30);
    assert_eq!(count(&store), Some(1));
}
