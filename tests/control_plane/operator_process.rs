//! The operator's program as a process of its own, which can be paused and stopped.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use anyhow::{Context, Result, anyhow, ensure};
use berth_tests::{
    cluster::wait,
    command::succeed,
    http::ask,
    programs,
    workspace::{self, Profile},
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    fixture::{Namespace, PATIENCE, kubectl},
    gateway::Gateway,
};

/// The Lease of the operators of a namespace.
pub(crate) const LEASE: &str = "operators";

/// A running operator of one namespace, ended when it is dropped.
pub(crate) struct OperatorProcess {
    pub(crate) gateway: Gateway,
    child: Child,
    health: SocketAddr,
    folder: TempDir,
}

impl OperatorProcess {
    /// Starts an operator that stands for election under this name, and waits until it is ready.
    pub(crate) fn start(namespace: &Namespace, name: &str) -> Result<Self> {
        Self::start_with(namespace, name, &[])
    }

    /// The same with more environment variables.
    pub(crate) fn start_with(namespace: &Namespace, name: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let gateway = Gateway::open(kubectl().kubeconfig())?;
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, kubeconfig_of(&gateway))?;
        let health = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = Command::new(program()?)
            .env("KUBECONFIG", kubeconfig)
            .env("HOSTNAME", name)
            .envs(variables.iter().copied())
            .args(["--registry-image=registry.example/berth-registry:test", "--watch-namespace"])
            .arg(namespace.name)
            .arg(format!("--lease={}/{LEASE}", namespace.name))
            .arg(format!("--health-addr={health}"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log"))?)
            .spawn()
            .context("cannot start berth-operator")?;
        let operator = Self { gateway, child, health, folder };
        wait::until("the operator to be ready", PATIENCE, || operator.ask("readyz"))?;
        Ok(operator)
    }

    /// What a path of its health address answers, if it is good.
    pub(crate) fn ask(&self, path: &str) -> Result<String> {
        let mut curl = Command::new(programs::packaged("curl")?);
        let answer = ask(curl.arg(format!("http://{}/{path}", self.health)))
            .and_then(|answer| answer.expect(200))
            .with_context(|| self.log())?;
        Ok(answer.text())
    }

    /// Asks whether it is ready as `helm test` does: by the program itself.
    pub(crate) fn check(&self) -> Result<String> {
        succeed(Command::new(program()?).arg("--check").arg(self.health.to_string()))
    }

    /// Stops it where it is, as a machine does that is suspended.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}:\n{}", self.log());
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }
}

/// The program, built for the first test that asks for it.
fn program() -> Result<PathBuf> {
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
