//! The rights that the chart gives the operator suffice: whatever was done in this cluster so far, nothing was forbidden to it.

use crate::fixture::{create_hub, fixture};
use anyhow::{Context, Result, bail, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::Target;
use serde_json::Value;
use std::fs;
use std::time::Duration;

const NAMESPACE: &str = "rights";

/// A Registry with as much as a cluster without further controllers can have.
const EVERYTHING: &str = r#"{"spec": {
    "host": "registry.example", "ingress": {"className": "none"},
    "access": {"allowed": {"from": "All"}, "anonymousPull": true, "pullSecrets": {"from": "Same", "serviceAccounts": ["default"]}},
    "gc": {"retention": [{"repositories": ["**"], "keepLast": 5}]}
}}"#;

#[test]
fn nothing_was_forbidden_to_the_operator() -> Result<()> {
    let target = &fixture()?.target;
    let Target::Own(cluster) = target else { bail!("of another cluster, the audit log is not here") };
    target.kubectl().run(&["create", "namespace", NAMESPACE])?;
    let hub = create_hub(target, NAMESPACE)?;
    hub.run(&["patch", "registry.berth.dev/hub", "--type=merge", "--patch", EVERYTHING])?;
    hub.apply(
        "apiVersion: berth.dev/v1alpha1\nkind: RegistryAccess\nmetadata: {name: ci}\n\
         spec: {registryRef: {name: hub}, allow: [{repositories: ['rights/**']}]}\n",
    )?;
    hub.run(&["wait", "--for=condition=Ready", "registryaccess.berth.dev/ci", "--timeout=180s"])?;
    hub.run(&["annotate", "registry.berth.dev/hub", "berth.dev/gc=now", "berth.dev/rotate=1"])?;
    let looked = "--output=jsonpath={.status.gc.lastRequest}{.status.lastRotateRequest}";
    wait::until("the requests to be heeded", Duration::from_mins(3), || {
        let told = hub.run(&["get", "registry.berth.dev/hub", looked])?;
        ensure!(told == "now1", "status: {told}");
        Ok(())
    })?;
    hub.delete()?;
    let log = fs::read_to_string(cluster.state().log("audit")).context("no audit log")?;
    let answers = log.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    ensure!(answers.len() > 100, "the audit log has {} lines only", answers.len());
    let forbidden: Vec<_> = answers.iter().filter(|answer| answer["responseStatus"]["code"] == 403).collect();
    ensure!(forbidden.is_empty(), "{forbidden:#?}");
    Ok(())
}
