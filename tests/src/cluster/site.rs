//! Where the control plane runs: on the host's loopback device, or in the network namespace of a node.

use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The address, the ports and the network namespace of a control plane.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The address of the API server.
    pub(crate) address: IpAddr,
    pub(crate) ports: Ports,
    namespace: Option<PathBuf>,
}

/// A port for each listener.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peers: u16,
    pub(crate) api_server: u16,
    pub(crate) controller_manager: u16,
}

impl Site {
    /// The host's loopback device, on ports that are free now.
    pub(crate) fn loopback() -> Result<Self> {
        // All are held until the last is found, so that no port is found twice.
        let listeners =
            (0..4).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<Vec<_>, _>>();
        let listeners = listeners.context("no free port on the loopback device")?;
        let port = |index: usize| listeners[index].local_addr().map(|address| address.port());
        let ports = Ports {
            etcd: port(0)?,
            etcd_peers: port(1)?,
            api_server: port(2)?,
            controller_manager: port(3)?,
        };
        Ok(Self { address: Ipv4Addr::LOCALHOST.into(), ports, namespace: None })
    }

    /// A network namespace of its own, where the usual ports are free.
    pub(crate) fn namespace(namespace: &Path, address: IpAddr) -> Self {
        let ports = Ports { etcd: 2379, etcd_peers: 2380, api_server: 6443, controller_manager: 10257 };
        Self { address, ports, namespace: Some(namespace.to_owned()) }
    }

    /// The URL of the API server.
    pub(crate) fn server(&self) -> String {
        format!("https://{}:{}", self.address, self.ports.api_server)
    }

    /// A command that runs here. `ip netns exec` would mount another /sys as well, which the kubelet cannot work with.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(namespace) = &self.namespace else {
            return Command::new(program);
        };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", namespace.display())).arg("--").arg(program);
        command
    }
}
