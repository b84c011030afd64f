//! A pull Secret that the operator brought to another namespace.

use crate::fixture::fixture;
use anyhow::{Result, ensure};
use berth_tests::demo;
use serde_json::json;

/// One of the namespaces that the chart's values let pull Secrets go to.
const TEAM: &str = "team-pulls";

#[test]
fn a_pod_of_another_namespace_runs_an_image_without_naming_a_secret() -> Result<()> {
    let fixture = fixture()?;
    fixture.push("distributed")?;
    let chosen = json!({"from": "Selector", "selector": {"matchLabels": {"pull": "hub"}}, "serviceAccounts": ["default"]});
    let spec = json!({"spec": {"access": {"pullSecrets": chosen}}}).to_string();
    fixture.hub.run(&["patch", "registry.berth.dev/hub", "--type=merge", "--patch", &spec])?;
    let kubectl = fixture.target.kubectl();
    kubectl.run(&["create", "namespace", TEAM])?;
    kubectl.run(&["label", "namespace", TEAM, "pull=hub"])?;

    let mut team = fixture.hub.clone();
    TEAM.clone_into(&mut team.namespace);
    let entered = "--for=jsonpath={.imagePullSecrets[0].name}=hub-pull";
    team.run(&["wait", "serviceaccount/default", entered, "--timeout=60s"])?;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "distributed"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "app",
                "image": format!("{}/distributed:1", fixture.hub.host()?),
                "imagePullPolicy": "Always",
            }],
        },
    });
    team.apply(&pod.to_string())?;
    let log = demo::pod_log(&team, "distributed")?;
    ensure!(log.contains("Hello"), "the pod printed: {log}");
    Ok(())
}
