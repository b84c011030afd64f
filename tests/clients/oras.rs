//! oras: artifacts of any type, and what is attached to them.

use crate::fixture::Fixture;
use anyhow::{Context, Result};
use berth_tests::command::succeed;
use berth_tests::programs::built;
use berth_tests::registry_server::{PASSWORD, USER};
use serde_json::Value;
use std::fs;
use std::process::Command;

pub(crate) fn oras(fixture: &Fixture, verb: &str) -> Result<Command> {
    oras_of(fixture, &[verb])
}

fn oras_of(fixture: &Fixture, verbs: &[&str]) -> Result<Command> {
    let mut command = Command::new(built("oras")?);
    command
        .args(verbs)
        // Without this, oras speaks plain HTTP to any registry on localhost.
        .arg("--plain-http=false")
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

#[test]
fn what_is_attached_is_found_by_its_type_until_it_is_deleted() -> Result<()> {
    let fixture = Fixture::new()?;
    let reference = fixture.reference("artifact:1");
    fs::write(fixture.path("report.txt"), "all is well")?;
    succeed(oras(&fixture, "push")?.args([&reference, "report.txt:text/plain"]))?;
    let kinds = ["application/vnd.example.sbom", "application/vnd.example.signature"];
    for kind in kinds {
        fs::write(fixture.path("attached.txt"), kind)?;
        let kind = format!("--artifact-type={kind}");
        succeed(oras(&fixture, "attach")?.args([&kind, &reference, "attached.txt:text/plain"]))?;
    }
    let discover = |kind: &str| -> Result<Value> {
        let api = ["--format=json", "--distribution-spec=v1.1-referrers-api", "--artifact-type", kind];
        Ok(serde_json::from_str(&succeed(oras(&fixture, "discover")?.args(api).arg(&reference))?)?)
    };
    let found = discover(kinds[0])?;
    assert_eq!(found["manifests"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["manifests"][0]["artifactType"], kinds[0]);
    let digest = found["manifests"][0]["digest"].as_str().context("a referrer has a digest")?;
    let sbom = fixture.reference(&format!("artifact@{digest}"));
    succeed(oras_of(&fixture, &["manifest", "delete"])?.args(["--force", &sbom]))?;
    assert_eq!(discover(kinds[0])?["manifests"].as_array().map_or(0, Vec::len), 0);
    assert_eq!(discover(kinds[1])?["manifests"].as_array().map(Vec::len), Some(1));
    Ok(())
}
