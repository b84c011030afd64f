//! docker, whose engine knows a mirror of Docker Hub by `registry-mirrors`. It asks such a server by the names at the Hub, without a
//! prefix, and so the server is a mirror as a whole (`proxy`).

use crate::fixture::Server;
use anyhow::{Result, ensure};
use berth_tests::command::succeed;
use berth_tests::docker_engine::DockerEngine;
use berth_tests::image::{Image, Recipe};
use berth_tests::programs::packaged;
use std::process::Command;
use tempfile::TempDir;

/// An image that Docker Hub does not have, if the engine should ask it.
const NAME: &str = "berth-mirrored/hello";

#[test]
fn docker_pulls_through_the_mirror_of_its_registry_mirrors_while_upstream_is_off() -> Result<()> {
    let folder = TempDir::new()?;
    let image = Image::pack(&Recipe::new().text("hello", "hello from the hub").starts(&["/hello"], &[]))?;
    let layout = folder.path().join("layout");
    image.write_oci_layout(&layout, "1")?;
    let mut hub = Server::start("")?;
    let mut push = Command::new(packaged("skopeo")?);
    push.args(["--insecure-policy", "copy", "--dest-tls-verify=false"]);
    succeed(
        push.arg(format!("oci:{}:1", layout.display())).arg(format!("docker://{}/{NAME}:1", hub.host())),
    )?;
    let mirror = Server::start(&format!("proxy: {{remoteurl: '{}'}}\n", hub.url("")))?;
    let option = format!("--registry-mirror={}", mirror.url(""));
    let engine = DockerEngine::start(folder.path(), &[&option])?;

    let reference = format!("{NAME}:1");
    succeed(engine.docker()?.args(["pull", &reference]))?;
    ensure!(hub.requests(&format!("GET /v2/{NAME}/blobs/")) == 2, "{}", hub.log());
    succeed(engine.docker()?.args(["rmi", &reference]))?;
    hub.stop()?;
    succeed(engine.docker()?.args(["pull", &reference]))?;
    let images = succeed(engine.docker()?.args(["images", "--format={{.Repository}}:{{.Tag}}"]))?;
    ensure!(images.trim() == reference, "{images}");
    ensure!(mirror.requests(&format!("GET /v2/{NAME}/blobs/")) == 4, "{}", mirror.log());
    Ok(())
}
