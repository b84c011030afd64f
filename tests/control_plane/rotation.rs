//! The rotation of the certificate authority. A phase is not waited for: its beginning is set back in Secret `hub-ca`, as
//! if the time had passed.

use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use serde_json::Value;

use crate::{
    fixture::{Condition, Namespace, PATIENCE, start_process},
    tls_client::accepts,
};

/// What a client trusts, in each place where it may look.
const PLACES: [&str; 3] = ["hub-tls", "hub-admin", "hub-pull"];

fn registry(name: &'static str) -> Namespace {
    let namespace = Namespace::create(name).unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.wait_for_reason("TLSReady", "Issued").unwrap();
    namespace
}

/// The authorities that clients are to trust, which are the same everywhere.
fn published(namespace: &Namespace) -> Result<String> {
    let config_map = namespace.get("configmap/hub-ca")?;
    let bundle = config_map["data"]["ca.crt"].as_str().unwrap_or_default().to_owned();
    for secret in PLACES {
        ensure!(namespace.secret_text(secret, "ca.crt")? == bundle, "Secret {secret} has other authorities");
    }
    Ok(bundle)
}

fn ask(namespace: &Namespace, value: &str) {
    let annotation = format!("berth.dev/rotate-ca={value}");
    namespace.run(&["annotate", "--overwrite", "registry/hub", &annotation]).unwrap();
}

fn let_time_pass(namespace: &Namespace) {
    let patch = r#"{"stringData": {"since": "2020-01-01T00:00:00Z"}}"#;
    namespace.run(&["patch", "secret/hub-ca", "--patch", patch]).unwrap();
}

/// Waits until the status tells of a phase, and everything is published that belongs to it.
fn wait_for(namespace: &Namespace, phase: &str, request: &str) -> Result<String> {
    wait::until(&format!("{phase} in {}", namespace.name), PATIENCE, || {
        let rotation = rotation(namespace)?;
        ensure!(rotation["phase"] == phase && rotation["request"] == request, "it is {rotation}");
        ensure!(namespace.secret_text("hub-ca", "phase")? == phase, "the Secret is of another phase");
        published(namespace)
    })
}

fn rotation(namespace: &Namespace) -> Result<Value> {
    Ok(namespace.get("registry/hub")?["status"]["tls"]["rotation"].clone())
}

fn tls_condition(namespace: &Namespace) -> Condition {
    namespace.condition("TLSReady").unwrap()
}

/// A new operator looks at everything, and leaves it as it is.
fn restart_operator(namespace: &Namespace, name: &str) {
    let before = contents(namespace).unwrap();
    let mut operator = start_process(namespace, name);
    wait::until("the new operator to have looked", PATIENCE, || {
        let applied = operator.gateway.writes();
        ensure!(applied.iter().any(|write| write.path.ends_with("/cronjobs/hub-gc")), "{}", operator.log());
        Ok(())
    })
    .unwrap();
    operator.stop().unwrap();
    assert_eq!(contents(namespace).unwrap(), before);
}

fn contents(namespace: &Namespace) -> Result<Vec<Value>> {
    let objects =
        ["secret/hub-ca", "secret/hub-tls", "secret/hub-admin", "secret/hub-pull", "configmap/hub-ca"];
    objects.iter().map(|object| Ok(namespace.get(object)?["data"].clone())).collect()
}

#[test]
fn a_rotation_is_trusted_first_and_survives_operators_that_start_in_each_phase() {
    let namespace = registry("rotated");
    let host = "hub.rotated.svc";
    let old = published(&namespace).unwrap();
    accepts(&namespace, host, &old).unwrap();

    ask(&namespace, "1");
    let both = wait_for(&namespace, "Trusting", "1").unwrap();
    let new = both.strip_prefix(&old).unwrap().to_owned();
    assert!(
        new.starts_with("-----BEGIN CERTIFICATE-----"),
        "the next one follows the one that signs: {both}"
    );
    let told = tls_condition(&namespace);
    assert_eq!((told.status.as_str(), told.reason.as_str()), ("True", "RotatingCA"), "{}", told.message);
    accepts(&namespace, host, &old).unwrap();
    accepts(&namespace, host, &new).unwrap_err();
    restart_operator(&namespace, "trusting");

    let_time_pass(&namespace);
    assert_eq!(wait_for(&namespace, "Serving", "1").unwrap(), format!("{new}{old}"));
    accepts(&namespace, host, &new).unwrap();
    accepts(&namespace, host, &both).unwrap();
    accepts(&namespace, host, &old).unwrap_err();
    let signing = &namespace.get("secret/hub-ca").unwrap()["data"];
    assert!(signing.get("next.key").is_none(), "there is one key, that of the authority that signs");
    restart_operator(&namespace, "serving");

    let_time_pass(&namespace);
    assert_eq!(wait_for(&namespace, "Done", "1").unwrap(), new);
    accepts(&namespace, host, &new).unwrap();
    namespace.wait_for_reason("TLSReady", "Issued").unwrap();
    restart_operator(&namespace, "done");
}

#[test]
fn of_two_rotations_the_second_waits() {
    let namespace = registry("rotated-twice");
    ask(&namespace, "first");
    let both = wait_for(&namespace, "Trusting", "first").unwrap();
    ask(&namespace, "second");
    wait::until("the second to be told", PATIENCE, || {
        let told = namespace.condition("TLSReady")?;
        ensure!(told.message.contains("then follows the rotation"), "{}", told.message);
        Ok(())
    })
    .unwrap();
    assert_eq!(published(&namespace).unwrap(), both);
    let_time_pass(&namespace);
    wait_for(&namespace, "Serving", "first").unwrap();
    let_time_pass(&namespace);
    wait_for(&namespace, "Trusting", "second").unwrap();
}

#[test]
fn an_authority_lost_in_the_middle_of_a_rotation_is_replaced_without_breaking_trust() {
    let namespace = registry("lost-authority");
    let host = "hub.lost-authority.svc";
    let old = published(&namespace).unwrap();
    ask(&namespace, "1");
    let both = wait_for(&namespace, "Trusting", "1").unwrap();
    namespace.run(&["delete", "secret/hub-ca"]).unwrap();
    let told = namespace.wait_for_reason("TLSReady", "AuthorityLost").unwrap();
    assert_eq!(told.status, "True", "{}", told.message);
    let more = wait_for(&namespace, "Trusting", "1").unwrap();
    assert!(more.starts_with(&both) && more.len() > both.len(), "{more}");
    accepts(&namespace, host, &old).unwrap();

    let_time_pass(&namespace);
    let bundle = wait_for(&namespace, "Serving", "1").unwrap();
    assert!(bundle.ends_with(&both), "{bundle}");
    accepts(&namespace, host, &more).unwrap();
    let_time_pass(&namespace);
    accepts(&namespace, host, &wait_for(&namespace, "Done", "1").unwrap()).unwrap();
}
