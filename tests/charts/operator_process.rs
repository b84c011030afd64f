//! The operator as a process with what its Pod would have, since no node runs here: the environment that the Deployment gives it,
//! the token of its ServiceAccount, and its file of Registries.

use super::installed::PATIENCE;
use anyhow::{Context as _, Result, ensure};
use berth_tests::cluster::{Kubectl, wait};
use berth_tests::http::ask;
use berth_tests::programs::packaged;
use berth_tests::workspace::{self, Profile};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running operator, ended when it is dropped.
pub(crate) struct OperatorProcess {
    child: Child,
    health: SocketAddr,
    folder: TempDir,
}

impl OperatorProcess {
    /// Starts an operator of the release `berth`, and waits until it is ready.
    pub(crate) fn start(kubectl: &Kubectl) -> Result<Self> {
        let program = workspace::build(&["berth-operator"], Profile::Development)?.join("berth-operator");
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, kubeconfig_of_account(kubectl)?)?;
        let health = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(program);
        command.env("KUBECONFIG", kubeconfig).arg(format!("--health-addr={health}"));
        give_environment(&mut command, kubectl, &folder)?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child =
            command.stdin(Stdio::null()).stderr(log).spawn().context("cannot start berth-operator")?;
        let operator = Self { child, health, folder };
        wait::until("the operator to be ready", PATIENCE, || operator.ask("readyz"))?;
        Ok(operator)
    }

    fn ask(&self, path: &str) -> Result<String> {
        let mut curl = Command::new(packaged("curl")?);
        let answer = ask(curl.arg(format!("http://{}/{path}", self.health)));
        Ok(answer.and_then(|answer| answer.expect(200)).with_context(|| self.log())?.text())
    }

    /// Waits until it has brought a Registry to its spec.
    pub(crate) fn wait_for_success(&self) -> Result<()> {
        wait::until("a reconciliation", PATIENCE, || {
            let page = self.ask("metrics")?;
            ensure!(page.contains("reconciliations_total{result=\"Success\"}"), "none yet:\n{}", self.log());
            Ok(())
        })
    }

    /// The requests that it had no right to, as its metrics count them.
    pub(crate) fn forbidden(&self) -> Result<Vec<String>> {
        let page = self.ask("metrics")?;
        ensure!(page.contains("code=\"200\""), "the page does not count requests:\n{page}");
        Ok(page.lines().filter(|line| line.contains("code=\"403\"")).map(str::to_owned).collect())
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}:\n{}", self.log());
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

fn kubeconfig_of_account(kubectl: &Kubectl) -> Result<String> {
    let token = kubectl.run(&["create", "token", "berth", "--namespace=berth-system"])?;
    let view = ["config", "view", "--raw", "--minify", "--flatten", "--output=json"];
    let mut config: Value = serde_json::from_str(&kubectl.run(&view)?)?;
    config["users"][0]["user"] = json!({ "token": token.trim() });
    Ok(config.to_string())
}

/// The variables of the container, and as a file what it has as a volume.
fn give_environment(command: &mut Command, kubectl: &Kubectl, folder: &TempDir) -> Result<()> {
    let get = |object: &str| -> Result<Value> {
        let arguments = ["get", object, "--namespace=berth-system", "--output=json"];
        Ok(serde_json::from_str(&kubectl.run(&arguments)?)?)
    };
    let deployment = get("deployment/berth")?;
    let environment = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    for variable in environment.as_array().context("the container has no environment")? {
        let (name, value) = (variable["name"].as_str(), variable["value"].as_str());
        let (name, value) = name.zip(value).context("a variable without a value")?;
        command.env(name, value);
        if name == "BERTH_REGISTRIES" {
            let file = folder.path().join("registries.yaml");
            let map = get("configmap/berth-registries")?;
            fs::write(&file, map["data"]["registries.yaml"].as_str().context("no Registries")?)?;
            command.env(name, file);
        }
    }
    Ok(())
}
