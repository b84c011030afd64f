//! The operator as the chart runs it: with its own Lease and the scope of all namespaces, straight to the API server.

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use berth_tests::{
    cluster::wait,
    http::ask,
    programs,
    workspace::{self, Profile},
};
use serde_yaml::Value;
use tempfile::TempDir;

use crate::fixture::{kubectl, token};

/// A running operator, ended when it is dropped.
pub(crate) struct Shipped {
    child: Child,
    health: SocketAddr,
    folder: TempDir,
}

impl Shipped {
    /// Starts it, and waits until it leads.
    pub(crate) fn start() -> Result<Self> {
        let program = program()?;
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, with_token(&fs::read_to_string(kubectl().kubeconfig())?)?)?;
        let health = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new(program)
            .env("KUBECONFIG", kubeconfig)
            .args([
                "--registry-image=registry.example/berth-registry:test",
                "--lease=berth-system/berth-leader",
            ])
            .args(["--log-format=json", &format!("--health-addr={health}")])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()?;
        let operator = Self { child, health, folder };
        wait::until("the operator to lead", Duration::from_mins(1), || {
            let leads = operator.metrics()?.lines().any(|line| line == "berth_operator_leader 1");
            ensure!(leads, "it does not lead yet:\n{}", operator.log());
            Ok(())
        })?;
        Ok(operator)
    }

    /// How many requests it has sent to the API server.
    pub(crate) fn requests(&self) -> Result<u64> {
        let metrics = self.metrics()?;
        let counts = metrics.lines().filter(|line| line.starts_with("berth_operator_api_requests_total{"));
        counts.map(|line| Ok(line.rsplit(' ').next().context("a count")?.parse::<u64>()?)).sum()
    }

    /// What it uses now, and the most that it has used, in MiB.
    pub(crate) fn memory(&self) -> Result<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
        };
        let sockets = fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count();
        Ok(format!(
            "{:.1} MiB ({:.1} of them its own, the rest its program), {:.1} at most; {sockets} descriptors",
            of("VmRSS:")?,
            of("RssAnon:")?,
            of("VmHWM:")?,
        ))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn metrics(&self) -> Result<String> {
        let mut curl = Command::new(programs::packaged("curl")?);
        Ok(ask(curl.arg(format!("http://{}/metrics", self.health)))?.expect(200)?.text())
    }
}

impl Drop for Shipped {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The program of this commit, or that which `MEASURED_OPERATOR` names, such as that of another one.
fn program() -> Result<PathBuf> {
    match env::var_os("MEASURED_OPERATOR") {
        Some(program) => Ok(program.into()),
        None => Ok(workspace::build(&["berth-operator"], Profile::Profiling)?.join("berth-operator")),
    }
}

/// The same way to the same server, with the token of the operator's ServiceAccount.
fn with_token(kubeconfig: &str) -> Result<String> {
    let mut kubeconfig: Value = serde_yaml::from_str(kubeconfig)?;
    let users = kubeconfig["users"].as_sequence_mut().context("no users")?;
    for user in users {
        user["user"] = serde_yaml::to_value(BTreeMap::from([("token", token()?)]))?;
    }
    Ok(serde_yaml::to_string(&kubeconfig)?)
}
