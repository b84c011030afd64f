//! crane: pushes, copies between repositories, lists and deletes; it stands for all users of go-containerregistry.

use crate::fixture::Fixture;
use anyhow::Result;
use berth_tests::command::{fail, succeed};
use berth_tests::programs::built;
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::registry_server::{PASSWORD, USER};
use std::process::Command;

pub(crate) fn crane(fixture: &Fixture) -> Result<Command> {
    let mut command = Command::new(built("crane")?);
    command.env("SSL_CERT_FILE", fixture.server.ca_file()).env("DOCKER_CONFIG", fixture.path("docker"));
    Ok(command)
}

pub(crate) fn logged_in() -> Result<Fixture> {
    let fixture = Fixture::new()?;
    succeed(crane(&fixture)?.args(["auth", "login", &fixture.server.host(), "-u", USER, "-p", PASSWORD]))?;
    Ok(fixture)
}

#[test]
fn an_image_is_pushed_copied_listed_and_deleted() -> Result<()> {
    let fixture = logged_in()?;
    let (first, second) = (fixture.reference("team/app:1"), fixture.reference("other/app:2"));
    succeed(crane(&fixture)?.arg("push").arg(fixture.archive()).arg(&first))?;
    succeed(crane(&fixture)?.args(["copy", &first, &second]))?;
    let digest = succeed(crane(&fixture)?.args(["digest", &second]))?;
    assert_eq!(digest, succeed(crane(&fixture)?.args(["digest", &first]))?);
    assert_eq!(succeed(crane(&fixture)?.args(["catalog", &fixture.server.host()]))?, "other/app\nteam/app\n");
    assert_eq!(succeed(crane(&fixture)?.args(["ls", &fixture.reference("other/app")]))?, "2\n");
    succeed(crane(&fixture)?.args(["validate", "--remote", &second]))?;
    let by_digest = format!("{}@{}", fixture.reference("other/app"), digest.trim());
    succeed(crane(&fixture)?.args(["delete", &by_digest]))?;
    let gone = fail(crane(&fixture)?.args(["manifest", &second]))?;
    assert!(gone.contains("MANIFEST_UNKNOWN"), "{gone}");
    Ok(())
}

/// It asks for 1000 at once. Without TLS, as it does not follow links from `localhost` to `https://localhost`.
#[test]
fn lists_come_whole_through_pages_that_are_shorter_than_those_asked_for() -> Result<()> {
    let (fixture, port) = (Fixture::new()?, free_port()?);
    let mut serve = Command::new(program()?);
    serve.arg("serve").arg("--root").arg(fixture.path("data")).args(["--addr", &format!("127.0.0.1:{port}")]);
    serve.envs([("REGISTRY_CATALOG_MAXENTRIES", "2"), ("REGISTRY_TAGS_MAXTAGS", "2")]);
    let registry = RegistryProcess::start(&mut serve, &fixture.path("log"))?;
    registry.wait_for(|| curl(&format!("http://127.0.0.1:{port}/readyz")))?;
    let reference = |name: &str| format!("localhost:{port}/{name}");
    succeed(crane(&fixture)?.arg("push").arg(fixture.archive()).arg(reference("a:1")))?;
    for copy in ["a:2", "a:3", "b:1", "c:1"] {
        succeed(crane(&fixture)?.args(["copy", &reference("a:1"), &reference(copy)]))?;
    }
    assert_eq!(succeed(crane(&fixture)?.args(["ls", &reference("a")]))?, "1\n2\n3\n");
    assert_eq!(succeed(crane(&fixture)?.args(["catalog", &format!("localhost:{port}")]))?, "a\nb\nc\n");
    Ok(())
}

fn curl(url: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--fail", url]);
    command
}

#[test]
fn an_index_of_two_images_is_pushed_and_pulled() -> Result<()> {
    let fixture = logged_in()?;
    let (one, all) = (fixture.reference("app:one"), fixture.reference("app:all"));
    succeed(crane(&fixture)?.arg("push").arg(fixture.archive()).arg(&one))?;
    succeed(crane(&fixture)?.args([
        "mutate",
        &one,
        "--label=two=2",
        "--tag",
        &fixture.reference("app:two"),
    ]))?;
    let manifests = [one, fixture.reference("app:two")];
    succeed(crane(&fixture)?.args([
        "index",
        "append",
        "-m",
        &manifests[0],
        "-m",
        &manifests[1],
        "--tag",
        &all,
    ]))?;
    let index: serde_json::Value =
        serde_json::from_str(&succeed(crane(&fixture)?.args(["manifest", &all]))?)?;
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(2));
    succeed(crane(&fixture)?.args(["validate", "--remote", &all]))?;
    Ok(())
}
