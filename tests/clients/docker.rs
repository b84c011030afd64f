//! docker: its engine, started for the test, logs in, pushes and pulls.

use crate::fixture::Fixture;
use anyhow::{Context, Result};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::programs::packaged;
use berth_tests::registry_server::{PASSWORD, USER};
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An engine that runs no containers: it has no network of its own and leaves the machine's alone.
pub(crate) struct Engine {
    child: Child,
}

impl Engine {
    pub(crate) fn start(fixture: &Fixture) -> Result<Self> {
        let log = fixture.path("dockerd.log");
        let output = File::create(&log)?;
        let child = Command::new(packaged("dockerd")?)
            .args([
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
                "--bridge=none",
                "--storage-driver=vfs",
            ])
            .arg("--data-root")
            .arg(fixture.path("docker-data"))
            .arg("--exec-root")
            .arg(fixture.path("docker-exec"))
            .arg("--pidfile")
            .arg(fixture.path("docker.pid"))
            .arg("--host")
            .arg(socket(fixture))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("cannot start dockerd")?;
        let engine = Self { child };
        let log = || fs::read_to_string(&log).unwrap_or_default();
        wait::until("the engine to answer", Duration::from_mins(1), || {
            succeed(docker(fixture)?.arg("info")).with_context(log)
        })?;
        Ok(engine)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // The engine ends the containerd that it started; killed outright it would leave it behind.
        let _asked = Command::new("kill").arg(pid).status();
        let _ended = self.child.wait();
    }
}

fn socket(fixture: &Fixture) -> String {
    format!("unix://{}", fixture.path("docker.sock").display())
}

pub(crate) fn docker(fixture: &Fixture) -> Result<Command> {
    let mut command = Command::new(packaged("docker")?);
    command.arg("--config").arg(fixture.path("docker")).arg("--host").arg(socket(fixture));
    Ok(command)
}

#[test]
fn an_image_is_pushed_and_pulled() -> Result<()> {
    let fixture = Fixture::new()?;
    let _engine = Engine::start(&fixture)?;
    let reference = fixture.reference("app:docker");
    succeed(docker(&fixture)?.args([
        "login",
        "--username",
        USER,
        "--password",
        PASSWORD,
        &fixture.server.host(),
    ]))?;
    succeed(docker(&fixture)?.arg("load").arg("--input").arg(fixture.archive()))?;
    succeed(docker(&fixture)?.args(["tag", "localhost/app:1", &reference]))?;
    succeed(docker(&fixture)?.args(["push", &reference]))?;
    succeed(docker(&fixture)?.args(["rmi", "localhost/app:1", &reference]))?;
    succeed(docker(&fixture)?.args(["pull", &reference]))?;
    let images = succeed(docker(&fixture)?.args(["images", "--format={{.Repository}}:{{.Tag}}"]))?;
    assert_eq!(images.trim(), reference);
    Ok(())
}
