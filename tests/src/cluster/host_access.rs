//! A Service of the cluster under its own name on this machine, as a person on a laptop reaches it.
//!
//! A program that is started here finds the Service's name in an `/etc/hosts` of its own; the machine's file stays as it
//! is.

use super::{Kubectl, wait};
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const PORT: u16 = 443;

/// Held for as long as the Service is to be reached.
#[derive(Debug)]
pub struct HostAccess {
    address: IpAddr,
    hosts: PathBuf,
    _forward: Option<Forward>,
}

impl HostAccess {
    /// The way to a Service whose address this machine has a route to; `hosts` is where its name is written down.
    pub(crate) fn direct(name: &str, address: IpAddr, hosts: PathBuf) -> Result<Self> {
        fs::write(&hosts, format!("127.0.0.1 localhost\n{address} {name}\n"))?;
        Ok(Self { address, hosts, _forward: None })
    }

    /// The way to a Service through `kubectl port-forward`, which leads to any cluster.
    pub fn by_port_forward(kubectl: &Kubectl, namespace: &str, service: &str) -> Result<Self> {
        let address = free_address()?;
        let forward = Forward::start(kubectl, namespace, service, address)?;
        let hosts = forward.folder.path().join("hosts");
        let access = Self::direct(&format!("{service}.{namespace}.svc"), address.into(), hosts)?;
        Ok(Self { _forward: Some(forward), ..access })
    }

    /// A command that finds the Service by its name.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
        command.arg(&self.hosts).arg(program);
        command
    }

    /// The address that leads to the Service.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

/// A running `kubectl port-forward`.
#[derive(Debug)]
struct Forward {
    folder: TempDir,
    child: Child,
}

impl Forward {
    fn start(kubectl: &Kubectl, namespace: &str, service: &str, address: Ipv4Addr) -> Result<Self> {
        let folder = TempDir::new()?;
        let log = File::create(folder.path().join("log"))?;
        let child = kubectl
            .command(&["port-forward", "--namespace", namespace, "--address", &address.to_string()])
            .args([format!("service/{service}"), format!("{PORT}:{PORT}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start kubectl port-forward")?;
        let forward = Self { folder, child };
        wait::until("kubectl port-forward to listen", Duration::from_secs(30), || forward.ensure_listens())?;
        Ok(forward)
    }

    /// A connection that is opened for a try would end the forwarding when it is closed, so the log tells.
    fn ensure_listens(&self) -> Result<()> {
        let log = fs::read_to_string(self.folder.path().join("log"))?;
        ensure!(log.contains("Forwarding from"), "kubectl port-forward does not listen: {log}");
        Ok(())
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // It may have ended by itself, with the Service.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The loopback device has many addresses; the usual port is free on one of them.
fn free_address() -> Result<Ipv4Addr> {
    let mut addresses = (1..=254).map(|last| Ipv4Addr::new(127, 96, 0, last));
    let free = addresses.find(|&address| TcpListener::bind((address, PORT)).is_ok());
    free.with_context(|| format!("no loopback address where port {PORT} can be used: this needs root"))
}
