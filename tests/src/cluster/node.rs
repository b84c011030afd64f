//! A whole cluster of one node: the control plane, and the programs that run pods, in a network of their own.

use super::certificates::Authority;
use super::machine::Machine;
use super::network::Network;
use super::process::Process;
use super::site::Site;
use super::{
    Kubectl, State, cgroups, containerd, control_plane, dns, kube_proxy, kubelet, scheduler, storage,
};
use crate::image::{Image, Recipe};
use crate::programs;
use anyhow::{Result, ensure};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

const NEEDS_ROOT: &str = "a node is made of namespaces and mounts, which needs root: \
    use sudo, or set KUBECONFIG to use a cluster that runs";

/// The name of the only node.
pub(crate) const NODE_NAME: &str = "berth";

/// What the programs of the node are told.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) state: &'a State,
    pub(crate) machine: &'a Machine,
    pub(crate) network: &'a Network,
    pub(crate) authority: &'a Authority<'a>,
    /// The URL of the API server.
    pub(crate) server: &'a str,
}

/// Starts everything, with its files in `state`, and leaves it running.
pub(crate) fn start(state: &State) -> Result<Kubectl> {
    ensure!(fs::metadata("/proc/self")?.uid() == 0, "{NEEDS_ROOT}");
    containerd::ensure_installed()?;
    let network = Network::create(state)?;
    cgroups::create(&network)?;
    let authority = Authority::create(state)?;
    let site = Site::namespace(&network.namespace(), network.node_address().into());
    let kubectl = control_plane::start_at(state, &authority, &site)?;
    scheduler::start(state, &authority, &site)?;
    let machine = Machine::start(state, &network)?;
    containerd::start(state, &machine)?;
    load_own_images(state, &machine)?;
    let server = site.server();
    let node = Node { state, machine: &machine, network: &network, authority: &authority, server: &server };
    let kubelet = kubelet::start(node)?;
    kube_proxy::start(node)?;
    storage::install(&kubectl, state)?;
    wait_for_node(&kubectl, &kubelet)?;
    dns::install(&kubectl)?;
    Ok(kubectl)
}

/// Removes what the processes leave behind outside of the state folder.
pub(crate) fn remove(state: &State) -> Result<()> {
    if let Some(network) = Network::of(state)? {
        cgroups::remove(&network)?;
        network.remove()?;
    }
    Ok(())
}

/// The images that every node needs before it can pull any.
fn load_own_images(state: &State, machine: &Machine) -> Result<()> {
    for (name, program) in [(containerd::SANDBOX_IMAGE, "pause"), (dns::IMAGE, "coredns")] {
        let path = format!("/{program}");
        let recipe = Recipe::new().program(program, programs::built(program)?).starts(&[&path], &[]);
        let archive = state.path("images").join(format!("{program}.tar"));
        Image::pack(&recipe)?.write_docker_archive(&archive, name)?;
        containerd::load_image(machine, &archive)?;
    }
    Ok(())
}

fn wait_for_node(kubectl: &Kubectl, kubelet: &Process) -> Result<()> {
    kubelet.wait_for("the node to be ready", || {
        let ready = "{.status.conditions[?(@.type=='Ready')].status}";
        let status = kubectl.field(&["node", NODE_NAME], ready)?;
        ensure!(status == "True", "the node is not ready");
        Ok(())
    })
}
