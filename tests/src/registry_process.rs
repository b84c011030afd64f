//! A registry's program as a process, whichever it is and however it is configured: started, asked, ended.

use crate::cluster::wait;
use crate::workspace::{self, Profile};
use anyhow::{Context, Error, Result, ensure};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// A program that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RegistryProcess {
    child: Child,
    log: PathBuf,
}

impl RegistryProcess {
    /// Starts the program; what it prints is added to the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// What it has printed so far, and what those printed that had the same log before it.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `curl`, a command with its arguments, succeeds.
    pub fn wait_for(&self, mut curl: impl FnMut() -> Command) -> Result<()> {
        wait::until("the registry to answer", Duration::from_secs(30), || {
            let status = curl().stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            ensure!(status.success(), "it does not answer; the log says:\n{}", self.log());
            Ok(())
        })
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        ensure!(Command::new("kill").arg(pid).status()?.success(), "the registry had ended:\n{}", self.log());
        self.child.wait()?;
        Ok(())
    }

    /// Ends it as a power cut would: no signal handler runs.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for RegistryProcess {
    fn drop(&mut self) {
        // Nothing is left to tell about a process that has ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Our registry's program, built as cargo builds tests; once for all the tests of a process.
pub fn program() -> Result<PathBuf> {
    static BUILT: LazyLock<Result<PathBuf, String>> = LazyLock::new(build);
    BUILT.clone().map_err(Error::msg)
}

fn build() -> Result<PathBuf, String> {
    let folder = workspace::build(&["berth-registry"], Profile::Development);
    folder.map(|folder| folder.join("registry")).map_err(|error| format!("{error:#}"))
}

/// A port of the loopback device that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
