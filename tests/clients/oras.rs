//! oras: artifacts of any type, and what is attached to them.

use crate::fixture::Fixture;
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::programs::built;
use berth_tests::registry_server::{PASSWORD, USER};
use std::fs;
use std::process::Command;

fn oras(fixture: &Fixture, verb: &str) -> Result<Command> {
    let mut command = Command::new(built("oras")?);
    command
        // Without this, oras speaks plain HTTP to any registry on localhost.
        .args([verb, "--plain-http=false"])
        .arg("--ca-file")
        .arg(fixture.server.ca_file())
        .args(["--username", USER, "--password", PASSWORD])
        .env("DOCKER_CONFIG", fixture.path("docker"))
        .current_dir(fixture.path(""));
    Ok(command)
}

#[test]
fn an_artifact_is_pushed_attached_to_discovered_and_pulled() -> Result<()> {
    let fixture = Fixture::new()?;
    let reference = fixture.reference("artifact:1");
    fs::write(fixture.path("report.txt"), "all is well")?;
    fs::write(fixture.path("signature.txt"), "signed")?;
    succeed(oras(&fixture, "push")?.args([
        "--artifact-type=application/vnd.example.report",
        &reference,
        "report.txt:text/plain",
    ]))?;
    succeed(oras(&fixture, "attach")?.args([
        "--artifact-type=application/vnd.example.signature",
        &reference,
        "signature.txt:text/plain",
    ]))?;
    let found = succeed(oras(&fixture, "discover")?.args([
        "--format=json",
        "--distribution-spec=v1.1-referrers-api",
        &reference,
    ]))?;
    assert!(found.contains("application/vnd.example.signature"), "{found}");
    let folder = fixture.path("pulled");
    succeed(oras(&fixture, "pull")?.arg("--output").arg(&folder).arg(&reference))?;
    assert_eq!(fs::read_to_string(folder.join("report.txt"))?, "all is well");
    Ok(())
}
