//! A whole cluster of ours, as tests and the demo use it.

use super::guard::Guard;
use super::kept::{self, Extent};
use super::machine::Machine;
use super::network::Network;
use super::{HostAccess, Kubectl, State, containerd, node};
use anyhow::{Context, Result};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// A Kubernetes of one node on this machine.
#[derive(Debug)]
pub struct Cluster {
    state: State,
    kubectl: Kubectl,
    machine: Machine,
    _guard: Option<Guard>,
}

impl Cluster {
    /// Starts one in a temporary folder; it ends when this is dropped or when the program ends.
    pub fn start() -> Result<Self> {
        let state = State::temporary()?;
        let guard = Guard::watch(&state)?;
        let kubectl = node::start(&state)?;
        let machine = Machine::of(&state)?;
        Ok(Self { state, kubectl, machine, _guard: Some(guard) })
    }

    /// Takes the one of a state folder, or starts it there; it stays until [`kept::down`].
    pub fn keep(state: &State) -> Result<Self> {
        let kubectl = kept::up(state, Extent::Node)?;
        let state = State::open(state.root())?;
        let machine = Machine::of(&state)?;
        Ok(Self { state, kubectl, machine, _guard: None })
    }

    /// `kubectl` with all rights.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The folder of this cluster.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Makes an image known to the node, from a docker-archive or an OCI tar.
    pub fn load_image(&self, archive: &Path) -> Result<()> {
        containerd::load_image(&self.machine, archive)
    }

    /// Gives an image of the node a second name.
    pub fn tag_image(&self, name: &str, second: &str) -> Result<()> {
        containerd::tag_image(&self.machine, name, second)
    }

    /// The way to a Service from this machine; `name` is what programs call it.
    pub fn host_access(&self, name: &str, cluster_ip: IpAddr) -> Result<HostAccess> {
        let network = Network::of(&self.state)?.context("this cluster has no network")?;
        network.route_to_service(cluster_ip)?;
        HostAccess::direct(name, cluster_ip, self.state.path("config").join(format!("hosts-{name}")))
    }

    /// The address of this machine that the pods reach, and nobody else.
    pub fn host_address(&self) -> Result<Ipv4Addr> {
        Ok(Network::of(&self.state)?.context("this cluster has no network")?.host_address())
    }

    /// Where the node is told how to reach registries: the folder that its containerd reads, and the configuration that says so.
    pub fn registry_folder(&self) -> (PathBuf, PathBuf) {
        containerd::registry_folder(&self.state)
    }
}
