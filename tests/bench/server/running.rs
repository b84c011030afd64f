//! A server that runs: started, asked, and ended with all of its processes.

use super::{Server, Setup, Target, configuration, nginx};
use crate::load::{Client, Operation, Request, Threads, Trust};
use crate::measurement::process;
use anyhow::{Context, Result, ensure};
use berth_tests::registry_process::{RegistryProcess, free_port};
use berth_tests::s3_server::BUCKET;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Below which folder of the bucket registries keep their images.
pub(crate) const BUCKET_ROOT: &str = "registry";

/// A server and its port.
#[derive(Debug)]
pub(crate) struct Running {
    server: Server,
    /// Another name than the server's, where there are two of it.
    name: &'static str,
    port: u16,
    trust: Option<Trust>,
    process: Option<RegistryProcess>,
}

impl Running {
    /// Starts a server, and waits until it answers.
    pub(crate) fn start(server: Server, setup: &Setup<'_>) -> Result<Self> {
        let port = free_port()?;
        let mut command = command(server, setup, port)?;
        let log = setup.folder.join(format!("{}.log", server.name()));
        let process = RegistryProcess::start(&mut command, &log)?;
        let trust = setup.certificate.map(|tls| Trust::of(&tls.certificate)).transpose()?;
        let mut running = Self { server, name: server.name(), port, trust, process: Some(process) };
        running.wait().with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(running)
    }

    /// A server that somebody else has started and ends, and whose time is not measured.
    pub(crate) fn foreign(server: Server, port: u16) -> Self {
        Self { server, name: server.name(), port, trust: None, process: None }
    }

    /// The same under another name.
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn server(&self) -> Server {
        self.server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process and those that it has started by now; none when they are not ours to measure. nginx listens before it has
    /// its workers.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        self.process.as_ref().map_or(Ok(Vec::new()), |process| process::family(process.id()))
    }

    /// A request for something; each header is a whole line.
    pub(crate) fn request(&self, method: &str, target: &Target, headers: &[String]) -> Request {
        Request::new(&format!("localhost:{}", self.port), method, &self.path(target), headers)
    }

    /// Where it has something.
    pub(crate) fn path(&self, target: &Target) -> String {
        match self.server {
            Server::Nginx => format!("/{}", target.file),
            Server::Bucket => format!("/{BUCKET}/{BUCKET_ROOT}/{}", target.file),
            Server::Berth | Server::Original | Server::Distribution => target.api.clone(),
        }
    }

    /// A connection for pushes.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.port)
    }

    /// Connections for what is only asked for.
    pub(crate) fn clients<'a>(&self, count: usize, operations: &'a [Operation]) -> Result<Threads<'a>> {
        Threads::open(self.port, self.trust.as_ref(), count, operations)
    }

    /// Waits until it listens; without a pause, because starts are measured as well.
    fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.process.as_mut().map_or(Ok(None), RegistryProcess::ended)?;
            ensure!(ended.is_none(), "{} has ended", self.server.name());
            ensure!(start.elapsed() < PATIENCE, "{} does not answer", self.server.name());
            thread::park_timeout(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Asks it to end, so that the workers of nginx end as well.
    fn end(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else { return Ok(()) };
        if self.server == Server::Nginx {
            let pid = Pid::from_raw(i32::try_from(process.id())?).context("a process has an id")?;
            kill_process(pid, Signal::TERM)?;
            let start = Instant::now();
            while process.ended()?.is_none() && start.elapsed() < PATIENCE {
                thread::park_timeout(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What remains of it is killed when its process is dropped.
        let _ended = self.end();
    }
}

fn command(server: Server, setup: &Setup<'_>, port: u16) -> Result<Command> {
    let mut command = Command::new(server.program(setup.berth)?);
    let text =
        if server == Server::Nginx { nginx::configuration(setup, port) } else { configuration(setup, port) };
    let file = write(setup.folder, server, port, &text)?;
    command.env_clear().current_dir(setup.folder);
    if server == Server::Nginx {
        command.arg("-c").arg(file).arg("-e").arg(setup.folder.join("nginx.log"));
    } else {
        // Version 3 would look for a collector of traces.
        command.env("OTEL_TRACES_EXPORTER", "none").arg("serve").arg(file);
    }
    Ok(command)
}

fn write(folder: &Path, server: Server, port: u16, text: &str) -> Result<PathBuf> {
    let file = folder.join(format!("{}-{port}.conf", server.name()));
    fs::write(&file, text)?;
    Ok(file)
}
