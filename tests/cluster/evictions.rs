//! What a drain of nodes does to a registry: its pods are evicted one after the other, while somebody pushes two
//! gibibytes.

use crate::fixture::fixture;
use crate::object_storage::hub_on_a_bucket;
use anyhow::{Context, Result, bail, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::{Credentials, Hub, Laptop, Target};
use berth_tests::digest::sha256;
use berth_tests::programs;
use fastrand::Rng;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const NAMESPACE: &str = "drained";
/// Enough to be on its way for longer than it takes to replace one pod, and then the other.
const SIZE: usize = 2 << 30;
const PATIENCE: Duration = Duration::from_mins(4);

#[test]
fn a_push_of_two_gibibytes_survives_the_eviction_of_every_replica() -> Result<()> {
    let target = &fixture()?.target;
    let Target::Own(cluster) = target else { bail!("the pods of another cluster do not reach this machine") };
    let s3 = berth_tests::s3_server::S3Server::start_at(cluster.host_address()?)?;
    let hub = hub_on_a_bucket(&s3, target, NAMESPACE)?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    let laptop = Laptop { hub: &hub, access: &access, credentials: &credentials };
    let folder = TempDir::new()?;
    let layout = folder.path().join("large");
    let digest = write_large_image(&layout)?;

    let before = pods(&hub)?;
    let mut push = start_push(&laptop, folder.path(), &layout)?;
    wait::until("the push to begin", PATIENCE, || {
        let log = hub.run(&["logs", "--selector=app.kubernetes.io/component=registry", "--tail=-1"])?;
        ensure!(log.contains("/blobs/uploads/"), "no upload yet");
        Ok(())
    })?;
    for pod in &before {
        wait::until(&format!("{pod} to be evicted"), PATIENCE, || evict(&hub, pod))?;
    }
    ensure!(push.try_wait()?.is_none(), "the push was over before the pods had to go");
    ensure!(push.wait()?.success(), "the push failed: {}", fs::read_to_string(folder.path().join("log"))?);
    hub.run(&["rollout", "status", "deployment/hub", "--timeout=180s"])?;
    wait::until("the evicted pods to be gone", PATIENCE, || {
        let after = pods(&hub)?;
        ensure!(!after.iter().any(|pod| before.contains(pod)), "{before:?} are still there: {after:?}");
        Ok(())
    })?;
    let pushed = laptop.digest("large:1")?;
    ensure!(pushed == digest, "{pushed} was pushed instead of {digest}");
    Ok(())
}

/// The names of the pods that serve or are about to, or to end.
pub(crate) fn pods(hub: &Hub) -> Result<Vec<String>> {
    let output = "--output=jsonpath={.items[*].metadata.name}";
    let pods = hub.run(&["get", "pods", "--selector=app.kubernetes.io/component=registry", output])?;
    Ok(pods.split_whitespace().map(str::to_owned).collect())
}

/// What `kubectl drain` asks for, for each pod of a node. The disruption budget refuses it while the other replica is away.
fn evict(hub: &Hub, pod: &str) -> Result<()> {
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": hub.namespace},
    });
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", hub.namespace);
    hub.create_raw(&path, &eviction.to_string())
}

fn start_push(laptop: &Laptop<'_>, folder: &Path, layout: &Path) -> Result<Child> {
    let host = laptop.hub.host()?;
    fs::write(folder.join("config.json"), laptop.credentials.docker_config(&host))?;
    fs::write(folder.join("ca.crt"), laptop.hub.authority()?)?;
    let mut crane = laptop.access.command(programs::built("crane")?);
    crane.env("DOCKER_CONFIG", folder).env("SSL_CERT_FILE", folder.join("ca.crt"));
    crane.arg("push").arg(layout).arg(format!("{host}/large:1"));
    let log = fs::File::create(folder.join("log"))?;
    crane.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null()).spawn().context("cannot start crane")
}

/// An image whose one layer is noise; returns its digest.
fn write_large_image(folder: &Path) -> Result<String> {
    let mut noise = vec![0; SIZE / 64];
    Rng::with_seed(1).fill(&mut noise);
    let noise = noise.repeat(64);
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let write = |bytes: &[u8], media_type: &str| -> Result<serde_json::Value> {
        let digest = sha256(bytes);
        fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
        Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
    };
    let layer = write(&noise, "application/vnd.oci.image.layer.v1.tar")?;
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = write(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json")?;
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
    let manifest = write(manifest.to_string().as_bytes(), media_type)?;
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    fs::write(folder.join("index.json"), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string())?;
    manifest["digest"].as_str().map(str::to_owned).context("a digest")
}
