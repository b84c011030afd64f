//! A storage and the servers that live on it, one after the other.

use super::disk::Disk;
use super::tally::Tally;
use super::weapon::Weapon;
use anyhow::{Context, Result, bail, ensure};
use berth_tests::command::succeed;
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::registry_server::{PASSWORD, USER};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a crash may leave behind until a repair: the index of referrers is written after the manifests, and an upload that was
/// cut off is not always taken up again.
const LEFTOVERS: [&str; 3] = ["referrer-not-indexed", "stale-referrer", "abandoned-upload"];

/// After this time nobody takes an upload up again.
const UPLOAD_AGE: &str = "10m";

/// The storage, and the configuration of the servers.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    disk: Option<Disk>,
}

/// A server that answers at a port.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    process: Option<RegistryProcess>,
}

impl Server {
    /// Ends it as if it had never been asked to.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), RegistryProcess::kill)
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        let process = self.process.as_mut();
        process.map_or(Ok(true), |process| Ok(process.ended()?.is_some()))
    }
}

impl Site {
    /// A storage in a folder, or on a disk.
    pub(crate) fn new(disk: Option<Disk>) -> Result<Self> {
        let site = Self { folder: TempDir::new()?, disk };
        let htpasswd =
            succeed(Command::new(program()?).args(["htpasswd", "-Bbn", "-C", "4", USER, PASSWORD]))?;
        fs::write(site.file("htpasswd"), htpasswd)?;
        let text = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
             storage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n  \
             maintenance: {{uploadpurging: {{interval: 1s}}}}\ntrash: {{window: 0s}}\n\
             auth: {{htpasswd: {{realm: Berth, path: {}}}}}\n",
            site.root().display(),
            site.file("htpasswd").display()
        );
        fs::write(site.file("config.yml"), text)?;
        Ok(site)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// The folder of the storage, as the servers see it.
    fn root(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.file("data"), |disk| disk.path().join("data"))
    }

    /// The same folder, as this process sees it.
    pub(crate) fn data(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.file("data"), |disk| disk.outside().join("data"))
    }

    /// The registry's program, which meets its fate.
    fn registry(&self, weapon: &Weapon) -> Result<Command> {
        let program = program()?;
        let mut command = match &self.disk {
            None => weapon.aim(program.as_os_str()),
            Some(disk) => disk.command(program),
        };
        command.env_clear();
        Ok(command)
    }

    /// What the servers have said last.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Starts a server; `None` when its fate has met it before it answered.
    pub(crate) fn start(&self, weapon: &Weapon) -> Result<Option<Server>> {
        let port = free_port()?;
        let mut serve = self.registry(weapon)?;
        serve.arg("serve").arg(self.file("config.yml")).arg(format!("--addr=127.0.0.1:{port}"));
        let mut process = RegistryProcess::start(&mut serve, &self.file("log"))?;
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = process.ended()? {
                return self.fell_at_start(weapon, status).map(|()| None);
            }
            ensure!(started.elapsed() < PATIENCE, "the server does not answer:\n{}", self.log());
            thread::park_timeout(Duration::from_millis(2));
        }
        Ok(Some(Server { port, process: Some(process) }))
    }

    /// A server ends before it answers only if something was done to it.
    fn fell_at_start(&self, weapon: &Weapon, status: ExitStatus) -> Result<()> {
        let is_explained = match weapon {
            Weapon::Kill => false,
            Weapon::KillAt(..) => status.signal().is_some(),
            Weapon::Fail(..) => status.signal().is_none(),
        };
        ensure!(is_explained, "the server does not start ({status}, {weapon:?}):\n{}", self.log());
        Ok(())
    }

    fn collection(&self) -> PathBuf {
        self.data().join("docker/registry/v2/_berth/garbage-collection")
    }

    /// Whether a collector says that it is deleting something.
    pub(crate) fn is_deleting(&self) -> bool {
        self.collection().join("deleting").exists()
    }

    /// Ends the lease of a collector that is known to have died, as its time would, and what it said that it was deleting.
    pub(crate) fn end_lease(&self, tally: &Tally) -> Result<()> {
        for (file, what) in
            [("lease", "collections killed"), ("deleting", "collections killed while they deleted")]
        {
            match fs::remove_file(self.collection().join(file)) {
                Ok(()) => tally.count(what),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).context("the lease cannot be ended"),
            }
        }
        Ok(())
    }

    /// Collects garbage in a process of its own; what is reported is JSON.
    pub(crate) fn collect(&self, weapon: &Weapon) -> Result<Output> {
        let mut collect = self.registry(weapon)?;
        collect.args(["garbage-collect", "--delete-untagged", "--min-age", "1s", "--json"]);
        Ok(collect.arg(self.file("config.yml")).output()?)
    }

    /// Finds nothing wrong but leftovers, repairs these, and finds nothing.
    pub(crate) fn check(&self, tally: &Tally) -> Result<()> {
        let found = self.run_check(&[])?;
        for (problem, finding) in &found {
            ensure!(LEFTOVERS.contains(&problem.as_str()), "registry check: {finding}");
            tally.count(&format!("leftovers repaired: {problem}"));
        }
        if !found.is_empty() {
            self.run_check(&["--repair"])?;
            let left = self.run_check(&[])?;
            ensure!(left.is_empty(), "registry check after a repair: {left:?}");
        }
        tally.count("times that `registry check` has read everything");
        Ok(())
    }

    /// The problems and what is told of each.
    fn run_check(&self, arguments: &[&str]) -> Result<BTreeMap<String, Value>> {
        let mut check = self.registry(&Weapon::Kill)?;
        check
            .arg("check")
            .arg("--root")
            .arg(self.root())
            .args(["--json", "--upload-age", UPLOAD_AGE])
            .args(arguments);
        let output = check.output()?;
        if output.status.code().is_none_or(|code| code > 1) {
            bail!("registry check: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let findings = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
        let problem = |finding: Value| Some((finding["problem"].as_str()?.to_owned(), finding));
        Ok(findings.into_iter().filter_map(problem).collect())
    }
}
