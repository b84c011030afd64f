//! buildah: builds an image from scratch and pushes it.

use crate::fixture::{Fixture, credentials, option};
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::programs::packaged;
use std::process::Command;

fn buildah(fixture: &Fixture) -> Result<Command> {
    let mut command = Command::new(packaged("buildah")?);
    command
        .arg(option("root", &fixture.path("buildah")))
        .arg(option("runroot", &fixture.path("buildah-run")))
        .arg("--storage-driver=vfs");
    Ok(command)
}

#[test]
fn a_built_image_is_pushed_and_pulled() -> Result<()> {
    let fixture = Fixture::new()?;
    let container = succeed(buildah(&fixture)?.args(["from", "scratch"]))?;
    let container = container.trim();
    succeed(buildah(&fixture)?.args(["copy", container]).arg(fixture.archive()).arg("/data"))?;
    succeed(buildah(&fixture)?.args(["commit", container, "built"]))?;
    let target = format!("docker://{}", fixture.reference("built:1"));
    let certificates = option("cert-dir", &fixture.server.certificates());
    let credentials = format!("--creds={}", credentials());
    succeed(buildah(&fixture)?.args(["push", &certificates, &credentials, "built", &target]))?;
    succeed(buildah(&fixture)?.args(["pull", &certificates, &credentials, &target]))?;
    Ok(())
}
