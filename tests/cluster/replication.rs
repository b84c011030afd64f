//! Copies from another registry and to it, by the Jobs of a real node.

use crate::fixture::fixture;
use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::{Credentials, Hub, Laptop};
use serde_json::{Value, json};
use std::time::Duration;

/// How long copies may take on a loaded machine, with the start of their pods.
const PATIENCE: Duration = Duration::from_mins(3);

const FROM_HUB: &str = "{name: hub, from: 'https://hub.default.svc', repositories: [replicated], secretName: hub-pull, \
                        caConfigMapName: hub-ca}";

const TO_HUB: &str = "{name: back, schedule: '@monthly', to: 'https://hub.default.svc', repositories: [replicated], \
                      tags: ['1*'], prefix: returned, secretName: hub-admin, caConfigMapName: hub-ca}";

#[test]
fn images_come_from_another_registry_and_go_back_and_nothing_is_copied_twice() -> Result<()> {
    let fixture = fixture()?;
    let image = fixture.push("replicated")?;
    let backup = fixture.hub.beside("backup");
    replicate(&backup, &[FROM_HUB])?;
    backup.wait_until_ready()?;
    let first = run(&backup, "first", "hub")?;
    ensure!(first["copied"] == 1 && first["sentBytes"].as_i64() > Some(0), "{first:#}");

    // What has arrived is pulled where it arrived.
    let (access, credentials) = (backup.on_this_machine(&fixture.target)?, Credentials::of(&backup)?);
    Laptop { hub: &backup, access: &access, credentials: &credentials }
        .pull("replicated:1", &image.written)?;

    replicate(&backup, &[FROM_HUB, TO_HUB])?;
    let back = run(&backup, "second", "back")?;
    ensure!(back["copied"] == 1, "{back:#}");
    fixture.laptop().pull("returned/replicated:1", &image.written)?;
    let again = copy(&backup, "hub", |copy| copy["completionTime"] != first["completionTime"])?;
    let expected = json!([0, 1, 0]);
    ensure!(json!([again["copied"], again["unchanged"], again["sentBytes"]]) == expected, "{again:#}");
    ensure!(
        again["lag"].is_string() && again["currentAsOf"].as_str() > first["currentAsOf"].as_str(),
        "{again:#}"
    );
    backup.run(&["wait", "registry/backup", "--for=condition=Replicated", "--timeout=30s"])?;
    backup.delete()
}

/// A registry on the pod's own disk with these copies, which no schedule makes while the test goes on.
fn replicate(backup: &Hub, copies: &[&str]) -> Result<()> {
    backup.apply(&format!(
        "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: backup}}\n\
         spec: {{storage: {{emptyDir: {{}}}}, replication: {{schedule: '@yearly', copies: [{}]}}}}\n",
        copies.join(", ")
    ))
}

/// Asks for all copies, and waits until one of them has succeeded that never did.
fn run(backup: &Hub, request: &str, name: &str) -> Result<Value> {
    backup.run(&["annotate", "--overwrite", "registry/backup", &format!("berth.dev/replicate={request}")])?;
    copy(backup, name, |copy| copy["result"] == "Succeeded")
}

/// Waits until a copy looks so in the status.
fn copy(backup: &Hub, name: &str, is_wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    wait::until(&format!("the copy {name}"), PATIENCE, || {
        let registry: Value =
            serde_json::from_str(&backup.run(&["get", "registry/backup", "--output=json"])?)?;
        let replication = &registry["status"]["replication"];
        let mut copies = replication["copies"].as_array().into_iter().flatten();
        let copy = copies.find(|copy| copy["name"] == name && is_wanted(copy)).cloned();
        ensure!(copy.is_some(), "{replication:#}");
        Ok(copy.unwrap_or_default())
    })
}
