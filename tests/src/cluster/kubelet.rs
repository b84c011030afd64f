//! The kubelet, which runs the pods of the node.

use super::certificates::Identity;
use super::containerd::SOCKET;
use super::node::{NODE_NAME, Node};
use super::process::Process;
use super::{dns, kubeconfig};
use crate::programs;
use anyhow::Result;
use serde_json::json;

/// Starts the kubelet, which registers the node.
pub(crate) fn start(node: Node<'_>) -> Result<Process> {
    let Node { state, machine, network, authority, server } = node;
    let user = format!("system:node:{NODE_NAME}");
    let client = authority.client("kubelet-client", Identity { user: &user, group: Some("system:nodes") })?;
    let kubeconfig = kubeconfig::write(state, "config/kubelet-client.yaml", server, authority, &client)?;
    let config = state.write("config/kubelet.yaml", &serde_yaml::to_string(&config(node)?)?)?;
    let mut command = machine.command(programs::built("kubelet")?)?;
    command
        .arg(format!("--config={}", config.display()))
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--root-dir={}", state.path("node/kubelet").display()))
        .arg(format!("--hostname-override={NODE_NAME}"))
        .arg(format!("--node-ip={}", network.node_address()));
    Process::start(state, "kubelet", &mut command)
}

fn config(node: Node<'_>) -> Result<serde_json::Value> {
    let Node { state, network, authority, .. } = node;
    let serving = authority.server("kubelet", &[NODE_NAME], &[network.node_address().into()])?;
    let names = state.write("config/resolv.conf", "")?;
    Ok(json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": { "anonymous": { "enabled": false }, "x509": { "clientCAFile": authority.pair().certificate } },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": serving.certificate,
        "tlsPrivateKeyFile": serving.key,
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", network.name()),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": ["pods"],
        "evictionHard": { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "clusterDNS": [dns::ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": names,
        "podLogsDir": state.path("node/pod-logs"),
        "volumePluginDir": state.path("node/volume-plugins"),
        "serializeImagePulls": false,
    }))
}
