//! The network of a node: a namespace of its own, joined to the host by one pair of devices.
//!
//! Rules that Kubernetes makes for packets stay inside. The host's own rules are not touched.

use super::State;
use crate::command::succeed;
use crate::programs;
use anyhow::{Context, Result};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The file of the state folder that says which network is the cluster's.
const RECORD: &str = "network";

/// A network namespace, named by its number on this machine, and its two addresses.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    number: u8,
}

impl Network {
    /// Makes the first network that this machine does not have yet.
    pub(crate) fn create(state: &State) -> Result<Self> {
        // Two tests of a program may each start a cluster.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (1..=250).map(|number| Self { number }).find(|network| !network.device_exists());
        let network = free.context("the devices berth1 to berth250 all exist")?;
        state.write(RECORD, &network.name())?;
        network.configure()?;
        Ok(network)
    }

    /// The network of a state folder, if it has one.
    pub(crate) fn of(state: &State) -> Result<Option<Self>> {
        let Ok(name) = fs::read_to_string(state.path(RECORD)) else {
            return Ok(None);
        };
        let number =
            name.trim_start_matches("berth").parse().with_context(|| format!("not a network: {name}"))?;
        Ok(Some(Self { number }))
    }

    /// Also the name of the device at the host's end, and of the cgroup that holds the cluster's pods.
    pub(crate) fn name(&self) -> String {
        format!("berth{}", self.number)
    }

    /// The file by which programs enter the namespace.
    pub(crate) fn namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(self.name())
    }

    /// The address of the node, which the host reaches.
    pub(crate) fn node_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 210, self.number, 1)
    }

    /// Lets the host reach the address of a Service; the route goes when the device goes.
    pub(crate) fn route_to_service(&self, service: IpAddr) -> Result<()> {
        let (service, node) = (service.to_string(), self.node_address().to_string());
        ip(&["route", "replace", &service, "via", &node, "dev", &self.name()])
    }

    /// Removes the namespace, and with it the devices.
    pub(crate) fn remove(&self) -> Result<()> {
        if self.namespace().exists() {
            ip(&["netns", "delete", &self.name()])?;
        }
        Ok(())
    }

    /// The address of the host, which the node and its pods reach.
    pub(crate) fn host_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 210, self.number, 254)
    }

    fn configure(&self) -> Result<()> {
        let name = self.name();
        let (node, host) = (self.node_address().to_string(), self.host_address().to_string());
        ip(&["netns", "add", &name])?;
        ip(&["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
        ip(&["address", "add", &format!("{host}/24"), "dev", &name])?;
        ip(&["link", "set", &name, "up"])?;
        ip(&["-n", &name, "link", "set", "lo", "up"])?;
        ip(&["-n", &name, "address", "add", &format!("{node}/24"), "dev", "eth0"])?;
        ip(&["-n", &name, "link", "set", "eth0", "up"])?;
        ip(&["-n", &name, "route", "add", "default", "via", &host])?;
        self.forward_packets()
    }

    /// Packets go from pod to pod through the node; the setting belongs to the namespace.
    fn forward_packets(&self) -> Result<()> {
        let namespace = format!("--net={}", self.namespace().display());
        let script = "echo 1 >/proc/sys/net/ipv4/ip_forward";
        succeed(Command::new("nsenter").args([&namespace, "sh", "-c", script])).map(drop)
    }

    fn device_exists(&self) -> bool {
        Path::new("/sys/class/net").join(self.name()).exists() || self.namespace().exists()
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    succeed(Command::new(programs::packaged("ip")?).args(arguments)).map(drop)
}
