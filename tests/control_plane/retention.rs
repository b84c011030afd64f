//! Rules of retention on their way to the registry.

use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::fixture::{Namespace, PATIENCE};

fn rules(namespace: &Namespace) -> Result<Value> {
    let config = namespace.get("configmap/hub-config")?;
    let file: Value = serde_json::from_str(config["data"]["config.yml"].as_str().unwrap_or_default())?;
    Ok(file["retention"]["rules"].clone())
}

fn wait_for_rules(namespace: &Namespace, expected: &Value) {
    wait::until("the rules", PATIENCE, || {
        let rules = rules(namespace)?;
        ensure!(rules == *expected, "{rules:#}");
        Ok(())
    })
    .unwrap();
}

fn restart_hash(namespace: &Namespace) -> Value {
    let deployment = namespace.get("deployment/hub").unwrap();
    deployment["spec"]["template"]["metadata"]["annotations"]["berth.dev/restart-hash"].clone()
}

#[test]
fn rules_reach_the_registry_without_a_restart_and_bad_ones_change_nothing() {
    let namespace = Namespace::create("gc-retention").unwrap();
    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    wait::until("the Deployment", PATIENCE, || namespace.get("deployment/hub")).unwrap();
    let before = restart_hash(&namespace);

    namespace
        .apply_registry(
            "{storage: {emptyDir: {}}, gc: {retention: [{repositories: [team/**], tags: ['pr-*'], keepLast: 5, olderThan: 336h}]}}",
        )
        .unwrap();
    let good =
        json!([{"repositories": ["team/**"], "tags": ["pr-*"], "keep": {"last": 5, "newerthan": "336h"}}]);
    wait_for_rules(&namespace, &good);
    namespace.wait_for_reason("GarbageCollected", "NeverRun").unwrap();

    namespace
        .apply_registry(
            "{storage: {emptyDir: {}}, gc: {retention: [{repositories: ['**'], keepLast: 1}, {repositories: [a], tags: ['/v(/'], keepLast: 1}]}}",
        )
        .unwrap();
    let wrong = namespace.wait_for_reason("GarbageCollected", "InvalidRetention").unwrap();
    assert!(wrong.message.starts_with("spec.gc.retention[1].tags: \"/v(/\""), "{}", wrong.message);
    assert_eq!(rules(&namespace).unwrap(), good);
    assert!(namespace.get("cronjob/hub-gc").is_ok());

    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    wait_for_rules(&namespace, &Value::Null);
    assert_eq!(restart_hash(&namespace), before);
}
