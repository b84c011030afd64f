//! The life of an installation on a real API server: the custom resource definitions come with the chart and outlive it. The
//! plain manifests install the same.

use super::helm;
use super::installed::alone;
use anyhow::Result;
use berth_tests::chart;
use berth_tests::cluster::{ControlPlane, Kubectl};
use berth_tests::command::succeed;
use berth_tests::demo::HUB;
use berth_tests::programs::built;
use std::process::Command;

#[test]
fn the_plain_manifests_install_the_same_without_helm() -> Result<()> {
    let _alone = alone();
    let cluster = ControlPlane::start()?;
    let kubectl = cluster.kubectl();
    let file = chart::folder().join("../install.yaml").display().to_string();
    kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", &file])?;
    kubectl.run(&["wait", "--for=condition=Established", "crd/registries.berth.dev", "--timeout=60s"])?;
    kubectl.apply(HUB)?;
    let account = "--as=system:serviceaccount:berth-system:berth";
    let may = |verb: &str, resource: &str, namespace: &str| {
        kubectl.run(&["auth", "can-i", verb, resource, account, "--namespace", namespace]).is_ok()
    };
    assert!(may("create", "deployments.apps", "default"), "it makes what registries need anywhere");
    assert!(may("list", "pods", "default") && may("patch", "pods", "default"), "it asks and pokes replicas");
    for (verb, resource) in
        [("get", "pods/log"), ("create", "pods/exec"), ("create", "pods"), ("delete", "pods")]
    {
        assert!(!may(verb, resource, "default"), "no more than that: {verb} {resource}");
    }
    assert!(may("list", "registryaccesses.berth.dev", "default"), "it looks for those who want rights");
    assert!(!may("patch", "registryaccesses.berth.dev", "default"), "what is asked for is the user's");
    assert!(!may("patch", "namespaces", "default"), "of namespaces it reads the labels");
    assert!(may("create", "jobs.batch", "default"), "it starts garbage collections that are asked for");
    assert!(!may("delete", "jobs.batch", "default"), "they go by themselves");
    assert!(
        may("update", "leases.coordination.k8s.io/berth-leader", "berth-system"),
        "it stands for election"
    );
    assert!(!may("get", "leases.coordination.k8s.io/other", "berth-system"), "other Leases are not its own");
    assert!(
        !may("update", "leases.coordination.k8s.io/berth-leader", "default"),
        "nor are those of other namespaces"
    );
    kubectl.run(&["delete", "--wait=false", "-f", &file]).map(drop)
}

#[test]
fn the_definitions_and_every_registry_outlive_the_chart() -> Result<()> {
    let _alone = alone();
    let cluster = ControlPlane::start()?;
    let kubectl = cluster.kubectl();
    let run = |verb: &[&str]| -> Result<String> {
        succeed(helm(verb, &[])?.arg("--create-namespace").arg("--kubeconfig").arg(kubectl.kubeconfig()))
    };
    let said = run(&["install", "berth"])?;
    assert!(said.contains("kubectl apply -n default"), "the notes say what to type next: {said}");
    assert!(said.contains("they and their data stay"), "and what is left in the end: {said}");
    kubectl.run(&["wait", "--for=condition=Established", "crd/registries.berth.dev", "--timeout=60s"])?;
    kubectl.apply(HUB)?;

    uninstall(kubectl)?;
    assert_eq!(kubectl.field(&["registry.berth.dev", "hub"], "{.metadata.name}")?, "hub");
    run(&["install", "berth"])?;
    uninstall(kubectl)
}

fn uninstall(kubectl: &Kubectl) -> Result<()> {
    let mut helm = Command::new(built("helm")?);
    helm.args(["uninstall", "berth", "--namespace=berth-system", "--kubeconfig"]).arg(kubectl.kubeconfig());
    succeed(&mut helm).map(drop)
}
