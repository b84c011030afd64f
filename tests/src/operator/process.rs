//! The operator's program as a process of its own, which can be paused and stopped.

use super::Gateway;
use crate::cluster::{Kubectl, wait};
use crate::command::succeed;
use crate::http::ask;
use crate::programs;
use crate::workspace::{self, Profile};
use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;
use tempfile::TempDir;

/// How long it may take to start on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// How an operator is started.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// The name that it goes by in a Lease.
    pub name: &'a str,
    /// The namespaces that it watches; without any, all.
    pub namespaces: &'a [&'a str],
    /// The Lease, as NAMESPACE/NAME, that it stands for election by.
    pub lease: Option<String>,
    /// The ServiceAccount token that it shows, instead of having all rights.
    pub token: Option<&'a str>,
    /// More variables of its environment.
    pub variables: &'a [(&'a str, &'a str)],
}

/// A running operator, ended when it is dropped.
#[derive(Debug)]
pub struct OperatorProcess {
    /// What it has to go through to the API server.
    pub gateway: Gateway,
    child: Child,
    health: SocketAddr,
    folder: TempDir,
}

impl OperatorProcess {
    /// Starts an operator, and waits until it is ready.
    pub fn start(kubectl: &Kubectl, options: &Options<'_>) -> Result<Self> {
        let gateway = Gateway::open(kubectl.kubeconfig(), options.token)?;
        let folder = tempfile::tempdir()?;
        let health = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = spawn(&gateway, health, folder.path(), options)?;
        let operator = Self { gateway, child, health, folder };
        wait::until("the operator to be ready", PATIENCE, || operator.ask("readyz"))?;
        Ok(operator)
    }

    /// Ends it at once, as a machine does that fails, and starts it again. It need not be ready afterwards.
    pub fn restart(&mut self, options: &Options<'_>) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&self.gateway, self.health, self.folder.path(), options)?;
        Ok(())
    }

    /// What a path of its health address answers, if it is good.
    pub fn ask(&self, path: &str) -> Result<String> {
        let mut curl = Command::new(programs::packaged("curl")?);
        let answer = ask(curl.arg(format!("http://{}/{path}", self.health)))
            .and_then(|answer| answer.expect(200))
            .with_context(|| self.log())?;
        Ok(answer.text())
    }

    /// Asks whether it is ready as `helm test` does: by the program itself.
    pub fn check(&self) -> Result<String> {
        succeed(Command::new(program()?).arg("--check").arg(self.health.to_string()))
    }

    /// Stops it where it is, as a machine does that is suspended.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}:\n{}", self.log());
        Ok(())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The most memory that it had in use so far, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }
}

fn spawn(gateway: &Gateway, health: SocketAddr, folder: &Path, options: &Options<'_>) -> Result<Child> {
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, kubeconfig_of(gateway))?;
    let log = fs::File::options().create(true).append(true).open(folder.join("log"))?;
    Command::new(program()?)
        .env("KUBECONFIG", kubeconfig)
        .env("HOSTNAME", options.name)
        .envs(options.variables.iter().copied())
        .arg("--registry-image=registry.example/berth-registry:test")
        .args(options.namespaces.iter().map(|namespace| format!("--watch-namespace={namespace}")))
        .args(options.lease.as_ref().map(|lease| format!("--lease={lease}")))
        .arg(format!("--health-addr={health}"))
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .context("cannot start berth-operator")
}

/// The program, built for the first test that asks for it.
pub fn program() -> Result<PathBuf> {
    static PROGRAMS: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        workspace::build(&["berth-operator"], Profile::Development).map_err(|error| format!("{error:#}"))
    });
    let programs = PROGRAMS.as_ref().map_err(|error| anyhow!("{error}"))?;
    Ok(programs.join("berth-operator"))
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

fn kubeconfig_of(gateway: &Gateway) -> String {
    let server = format!("http://{}", gateway.address);
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gateway", "cluster": {"server": server}}],
        "users": [{"name": "operator", "user": {}}],
        "contexts": [{"name": "gateway", "context": {"cluster": "gateway", "user": "operator"}}],
        "current-context": "gateway",
    })
    .to_string()
}
