//! The node agent: nobody else has told the node where the registries of these tests are, or whom to trust.

use crate::fixture::{create_hub, ensure_about, fixture};
use anyhow::{Context, Result, bail, ensure};
use berth_tests::cluster::{Cluster, wait};
use berth_tests::demo::{self, Hub, Target};
use berth_tests::image::products;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// The agent looks at its files every half minute.
const PATIENCE: Duration = Duration::from_mins(2);

fn folder(target: &Target) -> Result<PathBuf> {
    let Target::Own(cluster) = target else { bail!("the nodes of another cluster cannot be looked at") };
    Ok(cluster.registry_folder().0)
}

fn wait_for_reason(hub: &Hub, reason: &str) -> Result<String> {
    wait::until(&format!("NodesReady because of {reason}"), PATIENCE, || {
        let of = |field: &str| {
            let path = format!("--output=jsonpath={{.status.conditions[?(@.type=='NodesReady')].{field}}}");
            hub.run(&["get", "registry.berth.dev/hub", &path])
        };
        ensure!(of("reason")? == reason, "it is {}: {}", of("reason")?, of("message")?);
        of("message")
    })
}

fn summary(hub: &Hub) -> Result<String> {
    hub.run(&["get", "registry.berth.dev/hub", "--output=jsonpath={.status.nodes.summary}"])
}

#[test]
fn the_node_is_led_to_the_service_by_an_agent_without_privileges() -> Result<()> {
    let fixture = fixture()?;
    wait_for_reason(&fixture.hub, "Synced")?;
    ensure!(summary(&fixture.hub)? == "1/1", "the status says {}", summary(&fixture.hub)?);
    let host = fixture.hub.host()?;
    let hosts = fs::read_to_string(folder(&fixture.target)?.join(&host).join("hosts.toml"))?;
    ensure!(hosts.contains(&format!("server = \"https://{}\"", fixture.access.address())), "{hosts}");

    fixture.push("by-agent")?;
    demo::create_pod(&fixture.hub, "by-agent", "by-agent:1", Some("hub-pull"))?;
    ensure!(demo::pod_log(&fixture.hub, "by-agent")?.contains("Hello"), "it printed something else");

    let pod = fixture.target.kubectl().run(&[
        "get",
        "pods",
        "--namespace=berth-system",
        "--selector=app.kubernetes.io/component=node-agent",
        "--output=jsonpath={.items[0].spec}",
    ])?;
    let spec: serde_json::Value = serde_json::from_str(&pod)?;
    let security = &spec["containers"][0]["securityContext"];
    ensure!(security["capabilities"]["drop"][0] == "ALL" && security["privileged"] != true, "{security}");
    ensure!(security["readOnlyRootFilesystem"] == true && spec["hostNetwork"] != true, "{spec}");
    Ok(())
}

#[test]
fn an_entry_of_somebody_else_is_left_alone_and_told() -> Result<()> {
    let target = &fixture()?.target;
    let theirs = folder(target)?.join("hub.foreign-entry.svc");
    fs::create_dir_all(&theirs)?;
    fs::write(theirs.join("hosts.toml"), "server = \"https://192.0.2.7\"\n")?;
    target.kubectl().run(&["create", "namespace", "foreign-entry"])?;
    let hub = Hub::new(target.kubectl(), "foreign-entry");
    hub.create()?;
    let told = wait_for_reason(&hub, "ForeignEntry")?;
    ensure!(told.contains("1 of 1 nodes; on berth: ") && told.contains("hub.foreign-entry.svc"), "{told}");
    let files: Vec<_> = fs::read_dir(&theirs)?.map(|file| file.map(|file| file.file_name())).collect();
    ensure!(files.len() == 1, "the agent wrote there: {files:?}");

    fs::remove_dir_all(&theirs)?;
    wait_for_reason(&hub, "Synced")?;
    ensure!(theirs.join("hosts.toml").exists(), "nothing took its place");
    hub.delete()
}

#[test]
fn an_entry_goes_with_its_registry_and_comes_back_when_it_is_removed_by_hand() -> Result<()> {
    let target = &fixture()?.target;
    target.kubectl().run(&["create", "namespace", "goes"])?;
    let hub = create_hub(target, "goes")?;
    let entry = folder(target)?.join("hub.goes.svc");
    fs::remove_dir_all(&entry)?;
    wait::until("the entry to be back", PATIENCE, || {
        ensure!(entry.join("hosts.toml").exists() && entry.join("ca.crt").exists(), "it is not");
        Ok(())
    })?;
    hub.delete()?;
    wait::until("the entry to go", PATIENCE, || {
        ensure!(!entry.exists(), "it is there");
        Ok(())
    })
}

#[test]
fn a_registry_that_claims_docker_io_is_refused() -> Result<()> {
    let target = &fixture()?.target;
    target.kubectl().run(&["create", "namespace", "hijack"])?;
    let hub = Hub::new(target.kubectl(), "hijack");
    hub.apply(
        "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {name: hub}\n\
         spec: {host: docker.io, mirrors: [{upstream: quay.io, nodes: true}]}\n",
    )?;
    let told = wait_for_reason(&hub, "HostNotAllowed")?;
    ensure!(told.contains("docker.io of spec.host"), "{told}");
    let folder = folder(target)?;
    wait::until("its own name to be told", PATIENCE, || {
        ensure!(folder.join("hub.hijack.svc").exists(), "not yet");
        Ok(())
    })?;
    ensure!(!folder.join("docker.io").exists() && !folder.join("quay.io").exists(), "it took another's name");
    hub.delete()
}

/// The chart is uninstalled here, so that this takes a cluster of its own.
#[test]
fn a_containerd_that_reads_no_folder_is_told_and_an_uninstalled_chart_leaves_nothing() -> Result<()> {
    let target = Target::Own(Cluster::start()?);
    let folder = folder(&target)?;
    let files = TempDir::new()?;
    let products = products::build(files.path(), "test")?;
    let [operator, registry] = products.as_slice() else { bail!("expected two images") };
    let (operator, registry) = (target.deliver(operator)?, target.deliver(registry)?);
    let config = folder.with_file_name("another-config").join("config.toml");
    fs::create_dir_all(config.parent().context("it is in a folder")?)?;
    fs::write(&config, "version = 2\n")?;
    let other = format!("nodeAgent.paths.containerd.config={}", config.display());
    demo::install_chart_with(&target, &operator, &registry, &[other])?;
    let hub = Hub::new(target.kubectl(), "default");
    hub.create()?;
    let told = wait_for_reason(&hub, "ConfigPathUnset")?;
    ensure!(told.contains(&format!("set config_path = {folder:?} in {}", config.display())), "{told}");

    let set =
        format!("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = {folder:?}\n");
    fs::write(&config, set)?;
    hub.wait_for_nodes(&target)?;
    let theirs = folder.join("registry.example.com");
    fs::create_dir_all(&theirs)?;
    fs::write(theirs.join("hosts.toml"), "")?;

    // An agent that is only replaced leaves what it wrote: images go on being pulled.
    let system = "--namespace=berth-system";
    let kubectl = target.kubectl();
    kubectl.run(&["rollout", "restart", "daemonset/berth-node-agent", system])?;
    kubectl.run(&["rollout", "status", "daemonset/berth-node-agent", system, "--timeout=120s"])?;
    ensure!(folder.join(hub.host()?).join("hosts.toml").exists(), "the agent that was replaced removed it");

    demo::create_pod(&hub, "early", "none:1", Some("hub-pull"))?;
    ensure_about(demo::pod_log(&hub, "early"), &["not found"])?;

    demo::uninstall_chart(kubectl)?;
    wait::until("the node to be left as it was", PATIENCE, || {
        let left: Vec<_> = fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
        ensure!(left.len() == 1 && theirs.join("hosts.toml").exists(), "there is {left:?}");
        Ok(())
    })?;
    demo::create_pod(&hub, "late", "none:1", Some("hub-pull"))?;
    ensure_about(demo::pod_log(&hub, "late"), &["lookup hub.default.svc"])
}
