//! docker: its engine, started for the test, logs in, pushes and pulls.

use crate::fixture::Fixture;
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::docker_engine::DockerEngine;
use berth_tests::registry_server::{PASSWORD, USER};

#[test]
fn an_image_is_pushed_and_pulled() -> Result<()> {
    let fixture = Fixture::new()?;
    let engine = DockerEngine::start(&fixture.path(""), &[])?;
    let reference = fixture.reference("app:docker");
    succeed(engine.docker()?.args([
        "login",
        "--username",
        USER,
        "--password",
        PASSWORD,
        &fixture.server.host(),
    ]))?;
    succeed(engine.docker()?.arg("load").arg("--input").arg(fixture.archive()))?;
    succeed(engine.docker()?.args(["tag", "localhost/app:1", &reference]))?;
    succeed(engine.docker()?.args(["push", &reference]))?;
    succeed(engine.docker()?.args(["rmi", "localhost/app:1", &reference]))?;
    succeed(engine.docker()?.args(["pull", &reference]))?;
    let images = succeed(engine.docker()?.args(["images", "--format={{.Repository}}:{{.Tag}}"]))?;
    assert_eq!(images.trim(), reference);
    Ok(())
}
