//! Garbage collections that somebody asks for, on a real node.

use crate::fixture::{Image, create_hub, fixture};
use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::{Credentials, Hub, Laptop};
use serde_json::Value;
use std::time::Duration;

const NAMESPACE: &str = "garbage";

/// How long a run may take on a loaded machine, with the start of its pod.
const PATIENCE: Duration = Duration::from_mins(3);

/// Nothing is too young to be garbage, so that a test need not wait for a day; and one of two tags goes.
const GC: &str = r#"--patch={"spec": {"gc": {"minAge": "0h", "retention": [{"repositories": ["app"], "tags": ["old-*"], "keepLast": 1}]}}}"#;

#[test]
fn the_garbage_collection_completes_and_leaves_what_is_tagged() -> Result<()> {
    let fixture = fixture()?;
    let hub = &fixture.hub;
    let image = fixture.push("collected")?;
    hub.run(&["create", "job", "collect-now", "--from=cronjob/hub-gc"])?;
    let log = || hub.run(&["logs", "job/collect-now"]).unwrap_or_else(|error| format!("{error:#}"));
    hub.run(&["wait", "job/collect-now", "--for=condition=Complete", "--timeout=120s"]).with_context(log)?;
    fixture.laptop().pull("collected:1", &image.written)
}

#[test]
fn an_annotation_collects_garbage_and_the_status_tells_what_came_of_it() -> Result<()> {
    let target = &fixture()?.target;
    target.kubectl().run(&["create", "namespace", NAMESPACE])?;
    let hub = create_hub(target, NAMESPACE)?;
    let serving = pods(&hub)?;
    hub.run(&["patch", "registry/hub", "--type=merge", GC])?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    let laptop = Laptop { hub: &hub, access: &access, credentials: &credentials };
    let (garbage, kept) = (Image::pack("garbage")?, Image::pack("kept")?);
    laptop.push(&garbage.written, "app:1")?;
    laptop.push(&kept.written, "app:1")?;
    for tag in ["app:old-1", "app:old-2"] {
        laptop.push(&kept.written, tag)?;
    }

    // The kubelet takes its time to bring the rules into the pod that serves.
    let mut run = 0;
    let would = wait::until("a dry run by the rules", PATIENCE, || {
        run += 1;
        let would = collect(&hub, &format!("dry-run-{run}"), "lastDryRun")?;
        ensure!(would["deletedTags"] == 1, "{would:#}");
        Ok(would)
    })?;
    ensure!(serving == pods(&hub)?, "new rules restarted the registry");
    ensure!(would["freedBytes"].as_i64() > Some(0) && would["deletedManifests"] == 1, "{would:#}");
    let found = collect(&hub, "now", "lastRun")?;
    ensure!(found["quarantinedBytes"].as_i64() > Some(0) && found["freedBytes"] == 0, "{found:#}");
    ensure!(found["deletedTags"] == 1, "{found:#}");

    // What was found rests for some seconds before a later run deletes it.
    let deleted = wait::until("the garbage to be deleted", PATIENCE, || {
        run += 1;
        let deleted = collect(&hub, &format!("again-{run}"), "lastRun")?;
        ensure!(deleted["freedBytes"].as_i64() > Some(0), "{deleted:#}");
        Ok(deleted)
    })?;
    ensure!(deleted["freedBytes"] == would["freedBytes"], "{deleted:#} although {would:#}");
    hub.run(&["wait", "registry/hub", "--for=condition=GarbageCollected", "--timeout=30s"])?;
    laptop.pull("app:1", &kept.written)
}

/// Asks for a run, and waits until the status tells of it.
fn collect(hub: &Hub, request: &str, part: &str) -> Result<Value> {
    let before = gc(hub)?[part].clone();
    hub.run(&["annotate", "--overwrite", "registry/hub", &format!("berth.dev/gc={request}")])?;
    wait::until(&format!("the run {request}"), PATIENCE, || {
        let gc = gc(hub)?;
        ensure!(gc["lastRequest"] == request && gc[part] != before, "{gc:#}");
        ensure!(gc[part]["result"] == "Succeeded", "{gc:#}");
        Ok(gc[part].clone())
    })
}

fn gc(hub: &Hub) -> Result<Value> {
    let registry = hub.run(&["get", "registry/hub", "--output=json"])?;
    Ok(serde_json::from_str::<Value>(&registry)?["status"]["gc"].clone())
}

/// The names of the pods that serve.
fn pods(hub: &Hub) -> Result<String> {
    hub.run(&["get", "pods", "--selector=app.kubernetes.io/component=registry", "--output=name"])
}
