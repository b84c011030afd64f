//! The scheduler, which gives pods to the node. A control plane alone does without it.

use super::certificates::{Authority, Identity};
use super::process::Process;
use super::site::Site;
use super::{State, kubeconfig};
use crate::programs;
use anyhow::Result;

/// Starts the scheduler beside the API server.
pub(crate) fn start(state: &State, authority: &Authority<'_>, site: &Site) -> Result<Process> {
    let client =
        authority.client("kube-scheduler", Identity { user: "system:kube-scheduler", group: None })?;
    let kubeconfig =
        kubeconfig::write(state, "config/kube-scheduler.yaml", &site.server(), authority, &client)?;
    let mut command = site.command(programs::built("kube-scheduler")?);
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .args(["--bind-address=127.0.0.1", "--leader-elect=false"]);
    Process::start(state, "kube-scheduler", &mut command)
}
