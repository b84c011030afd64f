//! Pods whose images come from a registry elsewhere, through ours, while that one is switched off.

use crate::fixture::{Image, MIRRORED, fixture};
use anyhow::{Context, Result, bail, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::demo::{self, Credentials, Hub, Laptop, Target};
use berth_tests::image::products::Written;
use berth_tests::programs;
use berth_tests::registry_process::{RegistryProcess, program};
use serde_json::Value;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const NAMESPACE: &str = "mirrored";

/// A kubelet shows new files to a pod within two minutes, should it not be poked.
const PATIENCE: Duration = Duration::from_mins(3);

/// A registry outside of the cluster, which pods reach by its address.
struct Upstream {
    address: String,
    process: RegistryProcess,
    _folder: TempDir,
}

impl Upstream {
    fn start(address: Ipv4Addr) -> Result<Self> {
        let folder = TempDir::new()?;
        let address = TcpListener::bind((address, 0))?.local_addr()?.to_string();
        let mut serve = Command::new(program()?);
        serve.env_clear().arg("serve").env("REGISTRY_HTTP_ADDR", &address);
        serve.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", folder.path().join("data"));
        let process = RegistryProcess::start(&mut serve, &folder.path().join("log"))?;
        process.wait_for(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", &format!("http://{address}/v2/")]);
            curl
        })?;
        Ok(Self { address, process, _folder: folder })
    }

    fn push(&self, image: &Written, name: &str) -> Result<()> {
        let (source, destination) =
            (image.docker_archive.display(), format!("docker://{}/{name}", self.address));
        let mut skopeo = Command::new(programs::packaged("skopeo")?);
        skopeo.args([
            "copy",
            "--quiet",
            "--dest-tls-verify=false",
            &format!("docker-archive:{source}"),
            &destination,
        ]);
        succeed(&mut skopeo).map(drop)
    }
}

#[test]
fn a_pod_runs_an_image_from_elsewhere_while_elsewhere_is_switched_off() -> Result<()> {
    let target = &fixture()?.target;
    let Target::Own(cluster) = target else { bail!("the pods of another cluster do not reach this machine") };
    let upstream = Upstream::start(cluster.host_address()?)?;
    let (by_prefix, by_node) = (Image::pack("by the prefix")?, Image::pack("by the node")?);
    upstream.push(&by_prefix.written, "by-prefix:1")?;
    upstream.push(&by_node.written, "by-node:1")?;

    let hub = mirroring(target, &upstream)?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    let laptop = Laptop { hub: &hub, access: &access, credentials: &credentials };
    // Nobody on the node has seen them: what pods get after this, they get from what the mirror has stored now.
    laptop.pull(&format!("{MIRRORED}/by-prefix:1"), &by_prefix.written)?;
    laptop.pull(&format!("{MIRRORED}/by-node:1"), &by_node.written)?;
    upstream.process.stop()?;

    demo::create_pod(&hub, "by-prefix", &format!("{MIRRORED}/by-prefix:1"), Some("hub-pull"))?;
    let log = demo::pod_log(&hub, "by-prefix")?;
    ensure!(log.contains("Hello"), "it printed: {log}");
    demo::create_pod_of(&hub, "by-node", &format!("{MIRRORED}/by-node:1"), None)?;
    let log = demo::pod_log(&hub, "by-node")?;
    ensure!(log.contains("Hello"), "it printed: {log}");
    hub.delete()
}

/// A registry that mirrors the upstream, and to which the node is led for the upstream's images. It runs before it mirrors
/// anything, and goes on running.
fn mirroring(target: &Target, upstream: &Upstream) -> Result<Hub> {
    target.kubectl().run(&["create", "namespace", NAMESPACE])?;
    let hub = Hub::new(target.kubectl(), NAMESPACE);
    let apply = |mirrors: &str| {
        hub.apply(&format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: hub}}\n\
             spec: {{access: {{anonymousPull: true}}{mirrors}}}\n"
        ))
    };
    apply("")?;
    hub.wait_until_ready()?;
    let pods =
        || hub.run(&["get", "pods", "--selector=app.kubernetes.io/component=registry", "--output=name"]);
    let before = pods()?;
    apply(&format!(
        ", mirrors: [{{upstream: {MIRRORED}, url: 'http://{}', nodes: true}}]",
        upstream.address
    ))?;
    wait_until_reloaded(&hub)?;
    ensure!(pods()? == before, "{before} was replaced by {}", pods()?);
    hub.wait_for_nodes(target)?;
    Ok(hub)
}

/// Waits until every replica has said that it uses the spec as it is now.
fn wait_until_reloaded(hub: &Hub) -> Result<()> {
    wait::until("the replica to use the new configuration", PATIENCE, || {
        let registry: Value =
            serde_json::from_str(&hub.run(&["get", "registry.berth.dev/hub", "--output=json"])?)?;
        let conditions = registry["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let reloaded = conditions.iter().find(|condition| condition["type"] == "Reloaded");
        let reloaded = reloaded.context("there is no condition Reloaded")?;
        let is_of_now = reloaded["observedGeneration"] == registry["metadata"]["generation"];
        ensure!(is_of_now && reloaded["status"] == "True", "it is {reloaded}");
        Ok(())
    })
}
