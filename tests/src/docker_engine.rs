//! The engine of docker, started for a test in a folder of its own.

use crate::cluster::wait;
use crate::command::succeed;
use crate::programs::packaged;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An engine that runs no containers: it has no network of its own and leaves the machine's alone.
#[derive(Debug)]
pub struct DockerEngine {
    child: Child,
    folder: PathBuf,
}

impl DockerEngine {
    /// Starts one whose data are in `folder`, with these options beside its own.
    pub fn start(folder: &Path, options: &[&str]) -> Result<Self> {
        let log = folder.join("dockerd.log");
        let output = File::create(&log)?;
        let child = Command::new(packaged("dockerd")?)
            .args([
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
                "--bridge=none",
                "--storage-driver=vfs",
            ])
            .args(options)
            .arg("--data-root")
            .arg(folder.join("docker-data"))
            .arg("--exec-root")
            .arg(folder.join("docker-exec"))
            .arg("--pidfile")
            .arg(folder.join("docker.pid"))
            .arg("--host")
            .arg(socket(folder))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("cannot start dockerd")?;
        let engine = Self { child, folder: folder.to_owned() };
        let log = || fs::read_to_string(&log).unwrap_or_default();
        wait::until("the engine to answer", Duration::from_mins(1), || {
            succeed(engine.docker()?.arg("info")).with_context(log)
        })?;
        Ok(engine)
    }

    /// `docker`, which speaks to this engine.
    pub fn docker(&self) -> Result<Command> {
        let mut command = Command::new(packaged("docker")?);
        command.arg("--config").arg(self.folder.join("docker")).arg("--host").arg(socket(&self.folder));
        Ok(command)
    }
}

impl Drop for DockerEngine {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // The engine ends the containerd that it started; killed outright it would leave it behind.
        let _asked = Command::new("kill").arg(pid).status();
        let _ended = self.child.wait();
    }
}

fn socket(folder: &Path) -> String {
    format!("unix://{}", folder.join("docker.sock").display())
}
