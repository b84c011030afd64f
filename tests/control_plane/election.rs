//! Several operators: one writes, and another takes over when it stops, is cut off or sleeps.

use anyhow::{Result, ensure};
use berth_tests::{cluster::wait, operator::OperatorProcess};

use crate::fixture::{LEASE, Namespace, PATIENCE, start_process};

/// The first word of the holder's identity is the name that it was started under.
fn wait_for_holder(namespace: &Namespace, name: &str) {
    wait::until(&format!("{name} to lead"), PATIENCE, || {
        let lease = namespace.get(&format!("lease/{LEASE}"))?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        ensure!(holder.starts_with(&format!("{name}-")), "the holder is {holder:?}");
        Ok(())
    })
    .unwrap();
}

/// How often a lease is renewed in a minute.
const A_MINUTE: usize = 30;

/// Waits until this operator has renewed its lease so often.
fn wait_for_renewals(operator: &OperatorProcess, count: usize) {
    let renewals = || operator.gateway.about_lease(LEASE).iter().filter(|request| request.is_write()).count();
    let before = renewals();
    wait::until("renewals of the lease", 3 * PATIENCE, || {
        ensure!(renewals() >= before + count, "{} so far", renewals() - before);
        Ok(())
    })
    .unwrap();
}

/// Two operators, of which the first leads.
fn leader_and_standby(namespace: &Namespace) -> (OperatorProcess, OperatorProcess) {
    let first = start_process(namespace, "first");
    wait_for_holder(namespace, "first");
    (first, start_process(namespace, "second"))
}

/// Changes the Registry, and waits until this operator has written because of it.
fn wait_for_work(namespace: &Namespace, operator: &OperatorProcess, level: &str) {
    let before = operator.gateway.writes().len();
    namespace.apply_registry(&format!("{{logLevel: {level}}}")).unwrap();
    wait::until("the operator to write", PATIENCE, || {
        ensure!(operator.gateway.writes().len() > before, "it wrote nothing; its log:\n{}", operator.log());
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_two_operators_one_writes_and_the_other_is_ready_to() {
    let namespace = Namespace::create("two-operators").unwrap();
    let (leader, standby) = leader_and_standby(&namespace);
    wait_for_work(&namespace, &leader, "info");
    namespace.wait_for_objects().unwrap();
    wait_for_work(&namespace, &leader, "debug");
    assert!(standby.gateway.writes().is_empty(), "{:?}", standby.gateway.writes());
    standby.check().unwrap();
    assert!(says_that_it_leads(&leader), "{}", leader.log());
    assert!(!says_that_it_leads(&standby), "{}", standby.log());
}

#[test]
fn an_operator_that_stops_hands_over_without_a_wait() {
    let namespace = Namespace::create("hand-over").unwrap();
    let (mut leader, standby) = leader_and_standby(&namespace);
    let looks = || standby.gateway.about_lease(LEASE).len();
    leader.stop().unwrap();
    let before = looks();
    wait_for_holder(&namespace, "second");
    // It looks about once a second, and a lease that nobody gave back lasts fifteen.
    assert!(looks() < before + 8, "the lease was waited for");
    wait_for_work(&namespace, &standby, "debug");
}

#[test]
fn a_leader_that_slept_longer_than_its_lease_writes_no_more() {
    let namespace = Namespace::create("paused-leader").unwrap();
    let (leader, standby) = leader_and_standby(&namespace);
    apply_registries(&namespace, "info").unwrap();
    wait::until("the leader to be in the middle of its work", PATIENCE, || {
        ensure!(!leader.gateway.writes().is_empty(), "it wrote nothing yet");
        Ok(())
    })
    .unwrap();
    leader.pause().unwrap();
    wait_for_holder(&namespace, "second");
    wait_for_work(&namespace, &standby, "warn");
    wait_for_renewals(&standby, A_MINUTE);

    // What was on its way when it was paused has arrived by now.
    let (written, looked) = (leader.gateway.writes().len(), leader.gateway.about_lease(LEASE).len());
    leader.resume().unwrap();
    apply_registries(&namespace, "debug").unwrap();
    wait::until("the former leader to look at the lease", PATIENCE, || {
        ensure!(leader.gateway.about_lease(LEASE).len() > looked + 3, "not yet");
        Ok(())
    })
    .unwrap();
    wait_for_work(&namespace, &standby, "trace");
    assert_eq!(&leader.gateway.writes()[written..], [], "{}", leader.log());
    assert!(leader.ask("readyz").is_ok(), "it stands by");
}

#[test]
fn a_leader_that_is_cut_off_gives_up_before_another_takes_over() {
    let namespace = Namespace::create("cut-off-leader").unwrap();
    let (leader, standby) = leader_and_standby(&namespace);
    wait_for_work(&namespace, &leader, "info");
    leader.gateway.cut(true);
    wait_for_holder(&namespace, "second");
    assert!(!says_that_it_leads(&leader), "{}", leader.log());
    wait_for_work(&namespace, &standby, "debug");

    let (written, looked) = (leader.gateway.writes().len(), leader.gateway.about_lease(LEASE).len());
    leader.gateway.cut(false);
    wait::until("the former leader to look at the lease", PATIENCE, || {
        ensure!(leader.gateway.about_lease(LEASE).len() > looked + 3, "not yet");
        Ok(())
    })
    .unwrap();
    wait_for_work(&namespace, &standby, "warn");
    assert_eq!(&leader.gateway.writes()[written..], [], "{}", leader.log());
}

fn says_that_it_leads(operator: &OperatorProcess) -> bool {
    operator.ask("metrics").unwrap().contains("\nberth_operator_leader 1\n")
}

/// So many that an operator is busy for a while.
fn apply_registries(namespace: &Namespace, level: &str) -> Result<()> {
    let registry = |number: u32| {
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: hub-{number}}}\nspec: {{logLevel: {level}}}\n---\n"
        )
    };
    namespace.apply(&(0..8).map(registry).collect::<String>())
}
