//! What nodes are told of Registries, and what becomes of what they report. No node agent runs here: a DaemonSet, its pods and
//! their reports are made by hand.

use anyhow::{Result, ensure};
use berth_operator::config::ObjectName;
use berth_tests::cluster::{Kubectl, wait};
use serde_json::{Value, json};

use crate::fixture::{Namespace, PATIENCE, kubectl};

const AGENTS: &str = "node-agents";
const NODES: [&str; 2] = ["node-1", "node-2"];

/// What the operator of this ring is told.
pub(crate) fn daemon_set() -> ObjectName {
    ObjectName { namespace: AGENTS.to_owned(), name: "agent".to_owned() }
}

/// Makes two nodes with an agent each, which have taken over whatever they will be told.
pub(crate) fn create(kubectl: &Kubectl) -> Result<()> {
    kubectl.run(&["create", "namespace", AGENTS])?;
    let labels = json!({"app": "agent"});
    let container = json!({"name": "agent", "image": "registry.example/agent"});
    let spec = json!({"containers": [container], "nodeSelector": {"nowhere": "true"}});
    // Its controller would take the pods over, and delete them.
    let others = json!([{"key": "by-hand", "operator": "DoesNotExist"}]);
    let mut items = vec![
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "namespace": AGENTS},
            "spec": {
                "selector": {"matchLabels": labels, "matchExpressions": others},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "agent", "namespace": AGENTS}}),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "agent-reports", "namespace": AGENTS},
            "data": {NODES[0]: report(&[]), NODES[1]: report(&[])},
        }),
    ];
    items.extend(NODES.map(|node| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})));
    items.extend(NODES.map(|node| {
        let mut labels = labels.clone();
        labels["by-hand"] = json!("true");
        // The nodes never become ready, which would end other pods.
        let spec =
            json!({"nodeName": node, "tolerations": [{"operator": "Exists"}], "containers": [container]});
        let metadata = json!({"name": node, "namespace": AGENTS, "labels": labels});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }));
    kubectl.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())?;
    Ok(())
}

/// The report of a node that is up to date, with problems.
fn report(problems: &[Value]) -> String {
    json!({"revision": 1_i64 << 40, "problems": problems}).to_string()
}

fn set_report(node: &str, problems: &[Value]) {
    let patch = json!({"data": {node: report(problems)}}).to_string();
    let arguments =
        ["patch", "configmap/agent-reports", "--namespace", AGENTS, "--type=merge", "--patch", &patch];
    kubectl().run(&arguments).unwrap();
}

/// What nodes are told of the Registry `hub` of a namespace.
fn told(namespace: &Namespace) -> Result<Value> {
    let object = kubectl().run(&["get", "configmap/agent", "--namespace", AGENTS, "--output=json"])?;
    let object: Value = serde_json::from_str(&object)?;
    let key = format!("{}.hub", namespace.name);
    Ok(object["data"][&key].as_str().map(serde_json::from_str).transpose()?.unwrap_or_default())
}

fn hosts(namespace: &Namespace) -> Result<Vec<String>> {
    let told = told(namespace)?;
    let entries = told["entries"].as_array().cloned().unwrap_or_default();
    Ok(entries.iter().filter_map(|entry| entry["host"].as_str().map(str::to_owned)).collect())
}

fn wait_for_hosts(namespace: &Namespace, expected: &[&str]) {
    wait::until("what nodes are told", PATIENCE, || {
        let hosts = hosts(namespace)?;
        ensure!(hosts == expected, "nodes are told of {hosts:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn nodes_are_told_where_a_registry_is_and_whom_to_trust() {
    let namespace = Namespace::create("nodes-told").unwrap();
    namespace.apply_registry("{replicas: 0, storage: {emptyDir: {}}}").unwrap();
    wait_for_hosts(&namespace, &["hub.nodes-told.svc", "hub.nodes-told.svc.cluster.local"]);
    let told = told(&namespace).unwrap();
    let service = namespace.get("service/hub").unwrap();
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    assert_eq!(told["entries"][0]["endpoints"], json!([format!("https://{address}")]));
    assert_eq!(told["ca"], namespace.get("configmap/hub-ca").unwrap()["data"]["ca.crt"]);

    let condition = namespace.wait_for_reason("NodesReady", "Synced").unwrap();
    assert_eq!(condition.status, "True");
    let registry = namespace.get("registry/hub").unwrap();
    assert_eq!(registry["status"]["nodes"], json!({"ready": 2, "total": 2, "summary": "2/2"}));
    namespace.run(&["delete", "registry/hub"]).unwrap();
    wait_for_hosts(&namespace, &[]);
}

#[test]
fn what_is_wrong_is_told_with_the_node_where_it_is_and_makes_nothing_less_ready() {
    let namespace = Namespace::create("nodes-foreign").unwrap();
    namespace.apply_registry("{replicas: 0, storage: {emptyDir: {}}}").unwrap();
    namespace.wait_for_reason("NodesReady", "Synced").unwrap();
    let foreign =
        json!({"registry": "nodes-foreign.hub", "kind": "ForeignEntry", "message": "somebody else's"});
    set_report(NODES[1], &[foreign]);
    let condition = namespace.wait_for_reason("NodesReady", "ForeignEntry").unwrap();
    assert_eq!(condition.message, "1 of 2 nodes; on node-2: somebody else's");
    let registry = namespace.get("registry/hub").unwrap();
    assert_eq!(registry["status"]["nodes"]["summary"], "1/2");
    assert_eq!(registry["status"]["nodes"]["failed"], json!(["node-2: somebody else's"]));
    namespace.wait_for_reason("Ready", "Stopped").unwrap();
    set_report(NODES[1], &[]);
    namespace.wait_for_reason("NodesReady", "Synced").unwrap();
}

#[test]
fn a_name_that_the_installation_does_not_permit_is_refused() {
    let namespace = Namespace::create("nodes-refused").unwrap();
    let own = ["hub.nodes-refused.svc", "hub.nodes-refused.svc.cluster.local"];
    namespace.apply_registry("{replicas: 0, host: docker.io}").unwrap();
    let condition = namespace.wait_for_reason("NodesReady", "HostNotAllowed").unwrap();
    assert!(condition.message.contains("nodeAgent.allowedHosts"), "{}", condition.message);
    wait_for_hosts(&namespace, &own);

    namespace.apply_registry("{replicas: 0, mirrors: [{upstream: quay.io, nodes: true}]}").unwrap();
    namespace.wait_for_reason("NodesReady", "MirrorNotAllowed").unwrap();
    wait_for_hosts(&namespace, &own);

    namespace.run(&["delete", "registry/hub"]).unwrap();
}

#[test]
fn nodes_are_led_to_a_mirror_when_it_is_open_to_those_without_a_password() {
    let namespace = Namespace::create("nodes-mirror").unwrap();
    let own = ["hub.nodes-mirror.svc", "hub.nodes-mirror.svc.cluster.local"];
    let mirror =
        |more: &str| format!("{{replicas: 0, mirrors: [{{upstream: docker.io, nodes: true{more}}}]}}");
    namespace.apply_registry(&mirror("")).unwrap();
    let condition = namespace.wait_for_reason("NodesReady", "MirrorNotOpen").unwrap();
    assert!(condition.message.contains("set anonymousPull of that mirror to true"), "{}", condition.message);
    wait_for_hosts(&namespace, &own);

    namespace.apply_registry(&mirror(", prefix: hub, anonymousPull: true")).unwrap();
    wait_for_hosts(&namespace, &[&own[..], &["docker.io"]].concat());
    let entry = told(&namespace).unwrap()["entries"][2].clone();
    assert_eq!((&entry["fallback"], &entry["path"]), (&json!("https://registry-1.docker.io"), &json!("hub")));
    namespace.wait_for_reason("NodesReady", "Synced").unwrap();
    wait::until("the rule that opens the mirror", PATIENCE, || {
        let rules = namespace.secret_text("hub-auth", "access.yml")?;
        ensure!(rules.contains("hub/**") && rules.contains("anonymous"), "{rules}");
        Ok(())
    })
    .unwrap();
    namespace.run(&["delete", "registry/hub"]).unwrap();
}

#[test]
fn a_name_belongs_to_the_registry_that_was_first_until_it_goes() {
    let first = Namespace::create("nodes-first").unwrap();
    let second = Namespace::create("nodes-second").unwrap();
    let spec = "{replicas: 0, host: hub.allowed.example}";
    first.apply_registry(spec).unwrap();
    wait_for_hosts(
        &first,
        &["hub.nodes-first.svc", "hub.nodes-first.svc.cluster.local", "hub.allowed.example"],
    );
    second.apply_registry(spec).unwrap();
    let own = ["hub.nodes-second.svc", "hub.nodes-second.svc.cluster.local"];
    second.wait_for_reason("NodesReady", "HostTaken").unwrap();
    wait_for_hosts(&second, &own);
    first.run(&["delete", "registry/hub"]).unwrap();
    wait_for_hosts(&second, &[&own[..], &["hub.allowed.example"]].concat());
}

#[test]
fn nodes_forget_a_registry_that_does_not_want_to_be_known() {
    let namespace = Namespace::create("nodes-untold").unwrap();
    namespace.apply_registry("{replicas: 0, storage: {emptyDir: {}}}").unwrap();
    namespace.wait_for_reason("NodesReady", "Synced").unwrap();
    namespace.apply_registry("{replicas: 0, storage: {emptyDir: {}}, nodeTrust: false}").unwrap();
    wait_for_hosts(&namespace, &[]);
    wait::until("the condition to go", PATIENCE, || {
        let status = namespace.get("registry/hub")?["status"].clone();
        let reported = status["conditions"].to_string().contains("NodesReady");
        ensure!(!reported && status["nodes"].is_null(), "the status is {status:#}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_somebody_changes_there_is_put_right() {
    let namespace = Namespace::create("nodes-drift").unwrap();
    namespace.apply_registry("{replicas: 0, storage: {emptyDir: {}}}").unwrap();
    namespace.wait_for_reason("NodesReady", "Synced").unwrap();
    let before = hosts(&namespace).unwrap();
    let patch = json!({"data": {"nodes-drift.hub": null}}).to_string();
    kubectl()
        .run(&["patch", "configmap/agent", "--namespace", AGENTS, "--type=merge", "--patch", &patch])
        .unwrap();
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    wait_for_hosts(&namespace, &before);
}
