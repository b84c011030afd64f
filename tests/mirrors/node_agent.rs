//! What the node agent writes for CRI-O and Podman, read by a real Podman, on a node that resolves none of the names.

use crate::clients::{empty_layer, podman};
use crate::fixture::{Server, mirror_of};
use anyhow::{Result, ensure};
use berth_operator::config::{LogFormat, ObjectName};
use berth_operator::node_agent::{Node, Options};
use berth_operator::nodes::{Entry, Listing};
use berth_tests::command::succeed;
use berth_tests::registry_server::{RegistryServer, Setup};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The agent of a node whose runtimes look in this folder.
fn agent(containers: &Path) -> Node {
    Node::new(&Options {
        node: "node".to_owned(),
        daemon_set: ObjectName { namespace: "berth-system".to_owned(), name: "berth-node-agent".to_owned() },
        containerd: Vec::new(),
        certificates: vec![containers.join("certs.d")],
        drop_ins: vec![containers.join("registries.conf.d")],
        log_format: LogFormat::Text,
        log_level: "info".to_owned(),
    })
}

/// What the node is told of a registry: where its own name leads, and that of an upstream that it mirrors below `hub`.
fn told(registry: &RegistryServer) -> Result<BTreeMap<String, Listing>> {
    let endpoints = vec![format!("https://{}", registry.host().replace("localhost", "127.0.0.1"))];
    let own = Entry { host: "hub.default.svc".to_owned(), endpoints, fallback: None, path: None };
    let mirrored = Entry {
        host: "hub.example.com".to_owned(),
        fallback: Some("https://hub.example.com".to_owned()),
        path: Some("hub".to_owned()),
        ..own.clone()
    };
    let ca = Some(fs::read_to_string(registry.ca_file())?);
    Ok(BTreeMap::from([(
        "default.hub".to_owned(),
        Listing { revision: 1, ca, entries: vec![own, mirrored] },
    )]))
}

#[test]
fn podman_pulls_over_verified_tls_by_the_files_that_the_node_agent_writes() -> Result<()> {
    let upstream = Server::start("")?;
    upstream.push_image("team/app", "1", &empty_layer())?;
    let more = mirror_of(&upstream.url(""), "");
    let registry = RegistryServer::start_as(&Setup { is_open: true, more, ..Setup::default() })?;
    let home = TempDir::new()?;
    let node = agent(&home.path().join(".config/containers"));
    let report = node.bring_to(&told(&registry)?);
    ensure!(report.problems.is_empty(), "the agent reports {:?}", report.problems);
    for image in ["hub.example.com/team/app:1", "hub.default.svc/hub/team/app:1"] {
        succeed(podman(home.path())?.env("HOME", home.path()).args(["pull", image]))?;
    }

    node.clear();
    for image in ["hub.example.com/team/app:1", "hub.default.svc/hub/team/app:1"] {
        succeed(podman(home.path())?.env("HOME", home.path()).args(["rmi", image]))?;
        let pulled = podman(home.path())?.env("HOME", home.path()).args(["pull", image]).output()?;
        ensure!(!pulled.status.success(), "{image} is pulled by something else");
    }
    Ok(())
}
