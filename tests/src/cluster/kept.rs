//! A cluster that stays when the program that started it ends: started, reused, shown and ended by its state folder.

use super::process::Process;
use super::{Kubectl, State, control_plane, node};
use anyhow::{Context, Result};
use std::fs;

/// How much of a cluster there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// etcd, the API server and the controller manager: objects, but no pods.
    ControlPlane,
    /// All of it: pods run, on one node.
    Node,
}

/// Starts what is asked for, or takes what runs when it is that or more.
pub fn up(state: &State, extent: Extent) -> Result<Kubectl> {
    if running(state)? >= Some(extent) {
        return Kubectl::new(&state.kubeconfig());
    }
    down(state)?;
    let state = State::open(state.root())?;
    let kubectl = start(&state, extent).or_else(|error| end(&state).and(Err(error)))?;
    fs::write(marker(&state), extent.name())?;
    Ok(kubectl)
}

fn start(state: &State, extent: Extent) -> Result<Kubectl> {
    match extent {
        Extent::ControlPlane => control_plane::start(state),
        Extent::Node => node::start(state),
    }
}

/// What runs, if all of it does.
pub fn running(state: &State) -> Result<Option<Extent>> {
    let Ok(name) = fs::read_to_string(marker(state)) else {
        return Ok(None);
    };
    let started = fs::read_dir(state.processes())?.count();
    let alive = Process::all(state)?.len() == started;
    Ok([Extent::ControlPlane, Extent::Node].into_iter().find(|extent| alive && extent.name() == name))
}

/// The name and the id of each process that runs.
pub fn processes(state: &State) -> Result<Vec<(String, u32)>> {
    Ok(Process::all(state)?.iter().map(|process| (process.name().to_owned(), process.pid())).collect())
}

/// Ends everything and removes the state folder.
pub fn down(state: &State) -> Result<()> {
    end(state)?;
    fs::remove_dir_all(state.root()).with_context(|| format!("cannot remove {}", state.root().display()))
}

/// Ends the processes, the youngest first, and leaves their logs.
fn end(state: &State) -> Result<()> {
    for process in Process::all(state)? {
        process.stop()?;
    }
    node::remove(state)
}

fn marker(state: &State) -> std::path::PathBuf {
    state.path("extent")
}

impl Extent {
    fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control plane",
            Self::Node => "node",
        }
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
