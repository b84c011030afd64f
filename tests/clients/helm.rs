//! helm: charts in the registry.

use crate::fixture::{Fixture, credentials};
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::programs::built;
use berth_tests::registry_server::{PASSWORD, USER};
use berth_tests::workspace;
use std::process::Command;

fn helm(fixture: &Fixture) -> Result<Command> {
    let mut command = Command::new(built("helm")?);
    command
        .env("HELM_REGISTRY_CONFIG", fixture.path("helm.json"))
        .env("HELM_CACHE_HOME", fixture.path("helm"))
        .current_dir(fixture.path(""));
    Ok(command)
}

fn logged_in() -> Result<Fixture> {
    let fixture = Fixture::new()?;
    let host = fixture.server.host();
    let login = ["registry", "login", &host, "--username", USER, "--password", PASSWORD, "--ca-file"];
    succeed(helm(&fixture)?.args(login).arg(fixture.server.ca_file()))?;
    Ok(fixture)
}

#[test]
fn a_chart_is_pushed_and_pulled() -> Result<()> {
    let fixture = logged_in()?;
    let ca = fixture.server.ca_file();
    let charts = format!("oci://{}/charts", fixture.server.host());
    succeed(helm(&fixture)?.arg("package").arg(workspace::root().join("charts/berth")))?;
    succeed(helm(&fixture)?.args(["push", "berth-0.1.0.tgz", &charts, "--ca-file"]).arg(&ca))?;
    std::fs::remove_file(fixture.path("berth-0.1.0.tgz"))?;
    succeed(
        helm(&fixture)?.args(["pull", &format!("{charts}/berth"), "--version=0.1.0", "--ca-file"]).arg(&ca),
    )?;
    let shown = succeed(helm(&fixture)?.args(["show", "chart", "berth-0.1.0.tgz"]))?;
    assert!(shown.contains("name: berth"), "{shown}");
    Ok(())
}

#[test]
fn a_version_with_a_plus_is_pushed_under_a_tag_without_one() -> Result<()> {
    let fixture = logged_in()?;
    let ca = fixture.server.ca_file();
    let charts = format!("oci://{}/charts", fixture.server.host());
    let package = ["package", "--version=0.1.0+build.1"];
    succeed(helm(&fixture)?.args(package).arg(workspace::root().join("charts/berth")))?;
    succeed(helm(&fixture)?.args(["push", "berth-0.1.0+build.1.tgz", &charts, "--ca-file"]).arg(&ca))?;
    std::fs::remove_file(fixture.path("berth-0.1.0+build.1.tgz"))?;
    let tags = fixture.server.url("/v2/charts/berth/tags/list");
    let tags = succeed(fixture.server.curl().args(["--user", &credentials(), &tags]))?;
    assert!(tags.contains("[\"0.1.0_build.1\"]"), "{tags}");
    let pull = ["pull", &format!("{charts}/berth"), "--version=0.1.0+build.1", "--ca-file"];
    succeed(helm(&fixture)?.args(pull).arg(&ca))?;
    assert!(fixture.path("berth-0.1.0+build.1.tgz").is_file());
    Ok(())
}
