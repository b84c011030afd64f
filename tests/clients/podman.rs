//! podman: loads an image into its own storage, pushes it and pulls it again.

use crate::fixture::{Fixture, credentials, option};
use anyhow::Result;
use berth_tests::command::{fail, succeed};
use berth_tests::programs::packaged;
use std::process::Command;

pub(crate) fn podman(fixture: &Fixture) -> Result<Command> {
    let mut command = Command::new(packaged("podman")?);
    command
        .arg(option("root", &fixture.path("podman")))
        .arg(option("runroot", &fixture.path("podman-run")))
        .args(["--storage-driver=vfs", "--events-backend=none"]);
    Ok(command)
}

#[test]
fn an_image_is_pushed_and_pulled() -> Result<()> {
    let fixture = Fixture::new()?;
    let reference = fixture.reference("app:podman");
    let certificates = option("cert-dir", &fixture.server.certificates());
    let credentials = format!("--creds={}", credentials());
    succeed(podman(&fixture)?.arg("load").arg("--input").arg(fixture.archive()))?;
    succeed(podman(&fixture)?.args(["push", &certificates, &credentials, "localhost/app:1", &reference]))?;
    succeed(podman(&fixture)?.args(["rmi", "--all", "--force"]))?;
    succeed(podman(&fixture)?.args(["pull", &certificates, &credentials, &reference]))?;
    let images = succeed(podman(&fixture)?.args(["images", "--format={{.Repository}}:{{.Tag}}"]))?;
    assert_eq!(images.trim(), reference);
    Ok(())
}

#[test]
fn a_login_is_judged() -> Result<()> {
    let fixture = Fixture::new()?;
    let login = |password: &str| -> Result<Command> {
        let mut command = podman(&fixture)?;
        command
            .arg("login")
            .arg(option("cert-dir", &fixture.server.certificates()))
            .arg(option("authfile", &fixture.path("auth.json")))
            .args(["--username=alice", &format!("--password={password}"), &fixture.server.host()]);
        Ok(command)
    };
    succeed(&mut login("correct horse")?)?;
    let said = fail(&mut login("guess")?)?;
    assert!(said.contains("invalid username/password"), "{said}");
    Ok(())
}
