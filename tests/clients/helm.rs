//! helm: charts in the registry.

use crate::fixture::Fixture;
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

#[test]
fn a_chart_is_pushed_and_pulled() -> Result<()> {
    let fixture = Fixture::new()?;
    let host = fixture.server.host();
    let ca = fixture.server.ca_file();
    let charts = format!("oci://{host}/charts");
    let login = ["registry", "login", &host, "--username", USER, "--password", PASSWORD, "--ca-file"];
    succeed(helm(&fixture)?.args(login).arg(&ca))?;
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
