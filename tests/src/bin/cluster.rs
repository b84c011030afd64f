//! Starts, shows and ends a Kubernetes of one's own on this machine.

use anyhow::Result;
use berth_tests::cluster::kept::{self, Extent};
use berth_tests::cluster::{Kubectl, State};
use berth_tests::programs;
use clap::{Parser, Subcommand};
use std::io::{Write as _, stdout};
use std::path::PathBuf;

/// A Kubernetes of your own on this machine, for tests and for trying things out.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder that holds the cluster [default: berth/cluster in your cache folder]
    #[arg(long, global = true, value_name = "FOLDER")]
    state: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start the cluster, or take the one that runs, and print how to use it.
    Up {
        /// Only the API server, etcd and the controller manager: objects, but no pods. Needs no root.
        #[arg(long)]
        control_plane_only: bool,
    },
    /// End the cluster and remove all of its data.
    Down,
    /// Say what runs.
    Status,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = arguments.state.map_or_else(|| programs::cache().map(|cache| cache.join("cluster")), Ok)?;
    let state = State::open(&folder)?;
    match arguments.action {
        Action::Up { control_plane_only: true } => tell_how_to_use(&kept::up(&state, Extent::ControlPlane)?),
        Action::Up { control_plane_only: false } => tell_how_to_use(&kept::up(&state, Extent::Node)?),
        Action::Down => kept::down(&state),
        Action::Status => tell_what_runs(&state),
    }
}

fn tell_how_to_use(kubectl: &Kubectl) -> Result<()> {
    let folder = programs::built("kubectl")?;
    let folder = folder.parent().unwrap_or(&folder);
    writeln!(stdout(), "export KUBECONFIG={}", kubectl.kubeconfig().display())?;
    Ok(writeln!(stdout(), "export PATH={}:$PATH", folder.display())?)
}

fn tell_what_runs(state: &State) -> Result<()> {
    match kept::running(state)? {
        Some(extent) => writeln!(stdout(), "{extent}: runs, in {}", state.root().display())?,
        None => writeln!(stdout(), "no cluster runs in {}", state.root().display())?,
    }
    for (name, pid) in kept::processes(state)? {
        writeln!(stdout(), "{pid:>8} {name}")?;
    }
    Ok(())
}
