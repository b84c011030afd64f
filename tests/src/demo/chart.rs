//! Berth in the cluster: the chart, installed by helm with the images that were just built.

use super::target::{Delivered, Target};
use crate::cluster::Kubectl;
use crate::command::succeed;
use crate::programs;
use crate::workspace;
use anyhow::Result;
use std::process::Command;

const RELEASE: &str = "berth";
const NAMESPACE: &str = "berth-system";

/// Installs the chart, or upgrades it, and waits until the operator is ready.
pub fn install_chart(target: &Target, operator: &Delivered, registry: &Delivered) -> Result<()> {
    install_chart_with(target, operator, registry, &[])
}

/// The same with more values.
pub fn install_chart_with(
    target: &Target,
    operator: &Delivered,
    registry: &Delivered,
    more: &[String],
) -> Result<()> {
    let mut values = vec![
        format!("image.repository={}", operator.repository),
        format!("image.tag={}", operator.tag),
        format!("registryImage.repository={}", registry.repository),
        format!("registryImage.tag={}", registry.tag),
        "pullSecrets.allowedNamespaces={team-*}".to_owned(),
    ];
    if let Target::Own(cluster) = target {
        let (hosts, config) = cluster.registry_folder();
        values.push(format!("nodeAgent.paths.containerd.hosts={}", hosts.display()));
        values.push(format!("nodeAgent.paths.containerd.config={}", config.display()));
    }
    values.extend_from_slice(more);
    let mut helm = helm(target.kubectl())?;
    helm.args(["upgrade", "--install", RELEASE]).arg(workspace::root().join("charts/berth"));
    helm.args(["--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "3m"]);
    helm.args(values.iter().flat_map(|value| ["--set-string", value]));
    succeed(&mut helm).map(drop)
}

/// Upgrades the installed chart with one more value, and waits until the new operator is ready.
pub fn upgrade_chart(kubectl: &Kubectl, value: &str) -> Result<()> {
    let mut helm = helm(kubectl)?;
    helm.args(["upgrade", RELEASE]).arg(workspace::root().join("charts/berth"));
    helm.args(["--namespace", NAMESPACE, "--reuse-values", "--set", value, "--wait", "--timeout", "3m"]);
    succeed(&mut helm).map(drop)
}

/// Uninstalls the chart and its namespace. The custom resource definitions stay, as the chart promises.
pub fn uninstall_chart(kubectl: &Kubectl) -> Result<()> {
    succeed(helm(kubectl)?.args([
        "uninstall",
        RELEASE,
        "--namespace",
        NAMESPACE,
        "--ignore-not-found",
        "--wait",
    ]))?;
    kubectl.run(&["delete", "namespace", NAMESPACE, "--ignore-not-found"]).map(drop)
}

fn helm(kubectl: &Kubectl) -> Result<Command> {
    let mut command = Command::new(programs::built("helm")?);
    command.env("KUBECONFIG", kubectl.kubeconfig());
    Ok(command)
}
