//! What the chart renders to without a cluster: the plain manifests for those who have no Helm, and snapshots of what each
//! set of values makes of it.

use crate::command::succeed;
use crate::programs::built;
use crate::workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAMESPACE: &str = "
---
apiVersion: v1
kind: Namespace
metadata:
  name: berth-system
  labels:
    # The node agent writes to folders of the nodes. Everything else here would be admitted as restricted.
    pod-security.kubernetes.io/enforce: privileged
";

const HEAD: &str = "# Berth's operator and its custom resource definitions, for those who have no Helm: kubectl apply --server-side -f install.yaml
# Made from the chart by `just render`.";

/// A file that is rendered from the chart and committed.
#[derive(Debug)]
pub struct Rendered {
    /// Where it is.
    pub path: PathBuf,
    /// What it should hold.
    pub content: String,
}

/// A `helm` command on the chart, in the namespace of the documentation.
pub fn helm(verb: &[&str]) -> Result<Command> {
    let mut command = Command::new(built("helm")?);
    command.args(verb).arg(folder()).args(["--namespace", "berth-system"]);
    Ok(command)
}

/// `helm template` for the release `berth`.
pub fn template() -> Result<Command> {
    helm(&["template", "--kube-version=1.33", "berth"])
}

/// The folder of the chart.
pub fn folder() -> PathBuf {
    workspace::root().join("charts/berth")
}

/// Every file that is rendered from the chart and committed.
pub fn rendered() -> Result<Vec<Rendered>> {
    let mut all = vec![install_manifests()?];
    let folder = workspace::root().join("tests/charts/snapshots");
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let values = entry?.path();
        let name = values.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = name.strip_suffix(".values.yaml") {
            all.push(snapshot(&values, folder.join(format!("{name}.yaml")))?);
        }
    }
    Ok(all)
}

/// The definitions are the same with all values, and compared with their source elsewhere.
fn snapshot(values: &Path, path: PathBuf) -> Result<Rendered> {
    let content = succeed(template()?.arg("--values").arg(values).args(["--set", "crds.enabled=false"]))?;
    Ok(Rendered { path, content })
}

fn install_manifests() -> Result<Rendered> {
    let objects = succeed(template()?.args(["--skip-tests", "--set", "crds.keep=false"]))?;
    // What is not installed by Helm must not say so: Helm would refuse to take it over, or take it for its own.
    let by_helm = ["helm.sh/chart: ", "app.kubernetes.io/managed-by: Helm"];
    let lines =
        objects.lines().filter(|line| !by_helm.iter().any(|label| line.trim_start().starts_with(label)));
    let content = lines.fold(format!("{HEAD}{NAMESPACE}"), |text, line| text + line + "\n");
    Ok(Rendered { path: workspace::root().join("charts/install.yaml"), content })
}
