//! kube-proxy, which leads packets for a Service to its pods, by rules in the machine's network.

use super::certificates::Identity;
use super::containerd::POD_RANGE;
use super::kubeconfig;
use super::node::{NODE_NAME, Node};
use super::process::Process;
use crate::programs;
use anyhow::Result;
use serde_json::json;

/// Starts kube-proxy.
pub(crate) fn start(node: Node<'_>) -> Result<Process> {
    let Node { state, machine, authority, server, .. } = node;
    let client = authority.client("kube-proxy", Identity { user: "system:kube-proxy", group: None })?;
    let kubeconfig = kubeconfig::write(state, "config/kube-proxy-client.yaml", server, authority, &client)?;
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": POD_RANGE,
        "clientConnection": { "kubeconfig": kubeconfig },
        // Zero leaves the machine's limits alone.
        "conntrack": { "maxPerCore": 0, "min": 0 },
    });
    let config = state.write("config/kube-proxy.yaml", &serde_yaml::to_string(&config)?)?;
    let mut command = machine.command(programs::built("kube-proxy")?)?;
    Process::start(state, "kube-proxy", command.arg(format!("--config={}", config.display())))
}
