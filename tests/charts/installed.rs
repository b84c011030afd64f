//! The chart, installed on a real API server.

use super::operator_process::OperatorProcess;
use anyhow::{Context as _, Result, ensure};
use berth_tests::chart;
use berth_tests::cluster::{ControlPlane, Kubectl, wait};
use berth_tests::command::succeed;
use berth_tests::programs::built;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long something may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Where tests use the cluster of `KUBECONFIG`, they would meet there.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits until no other test has a cluster.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The release `berth` in its cluster.
pub(crate) struct Installed {
    cluster: ControlPlane,
    _alone: MutexGuard<'static, ()>,
}

impl Installed {
    /// Installs the chart with these values in a cluster that has these namespaces.
    pub(crate) fn with(namespaces: &[&str], values: &[&str]) -> Result<Self> {
        let alone = alone();
        let installed = Self { cluster: ControlPlane::start()?, _alone: alone };
        for namespace in namespaces {
            installed.kubectl().run(&["create", "namespace", namespace])?;
        }
        installed.release("install", &chart::folder(), values)?;
        let established =
            ["wait", "--for=condition=Established", "crd/registries.berth.dev", "--timeout=60s"];
        installed.kubectl().run(&established)?;
        Ok(installed)
    }

    /// Upgrades it to a chart in another folder, or in the same.
    pub(crate) fn upgrade(&self, chart: &Path, values: &[&str]) -> Result<String> {
        self.release("upgrade", chart, values)
    }

    fn release(&self, verb: &str, chart: &Path, values: &[&str]) -> Result<String> {
        let mut helm = self.helm(verb)?;
        helm.arg(chart).args(values.iter().flat_map(|value| ["--set", value]));
        if verb == "install" {
            helm.arg("--create-namespace");
        }
        succeed(&mut helm)
    }

    /// Uninstalls it, and returns what Helm says.
    pub(crate) fn uninstall(&self) -> Result<String> {
        succeed(&mut self.helm("uninstall")?)
    }

    fn helm(&self, verb: &str) -> Result<Command> {
        let mut helm = Command::new(built("helm")?);
        helm.args([verb, "berth", "--namespace=berth-system", "--kubeconfig"])
            .arg(self.kubectl().kubeconfig());
        Ok(helm)
    }

    /// `kubectl` with all rights.
    pub(crate) fn kubectl(&self) -> &Kubectl {
        self.cluster.kubectl()
    }

    /// Starts an operator with what a Pod of the Deployment would have.
    pub(crate) fn operator(&self) -> Result<OperatorProcess> {
        OperatorProcess::start(self.kubectl())
    }

    /// Applies the Registry `hub` in a namespace.
    pub(crate) fn apply_registry(&self, namespace: &str) -> Result<()> {
        self.kubectl()
            .apply(&format!(
                "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: hub, namespace: {namespace}}}\nspec: {{}}\n"
            ))
            .map(drop)
    }

    /// Waits until the Registry `hub` of a namespace has its last object, and a status.
    pub(crate) fn wait_for_registry(&self, namespace: &str, operator: &OperatorProcess) -> Result<()> {
        wait::until(&format!("the registry in {namespace}"), PATIENCE, || {
            let host = self.field(namespace, "registry.berth.dev/hub", "{.status.host}")?;
            ensure!(!host.is_empty(), "it has no status");
            self.field(namespace, "cronjob/hub-gc", "{.metadata.name}").map(drop)
        })
        .with_context(|| operator.log())
    }

    /// A field of an object in a namespace.
    pub(crate) fn field(&self, namespace: &str, object: &str, path: &str) -> Result<String> {
        self.kubectl().field(&[object, "--namespace", namespace], path)
    }
}

/// A copy of the chart as a later release would have it.
pub(crate) fn next_release(folder: &Path) -> Result<PathBuf> {
    let copy = folder.join("berth");
    succeed(Command::new("cp").arg("-r").arg(chart::folder()).arg(&copy))?;
    let about = copy.join("Chart.yaml");
    let text = std::fs::read_to_string(&about)?.replace("0.1.0", "0.2.0");
    std::fs::write(about, text)?;
    Ok(copy)
}
