//! Servers that share one storage.

use anyhow::{Context, Result};
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// How many there are.
pub(crate) const SERVERS: usize = 3;

/// The servers and their configurations, which differ in nothing but the port.
pub(crate) struct Fleet {
    folder: TempDir,
    servers: Vec<Server>,
}

struct Server {
    port: u16,
    config: PathBuf,
    process: Mutex<Option<RegistryProcess>>,
}

impl Fleet {
    /// Starts the servers on the storage that this line of the configuration names.
    pub(crate) fn start(storage: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let servers = (0..SERVERS).map(|number| {
            let (port, config) = (free_port()?, folder.path().join(format!("{number}.yml")));
            let text = format!(
                "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
                 storage:\n  {storage}\n  delete: {{enabled: true}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
            );
            fs::write(&config, text)?;
            Ok(Server { port, config, process: Mutex::default() })
        });
        let fleet = Self { servers: servers.collect::<Result<_>>()?, folder };
        fleet.resume_all()?;
        Ok(fleet)
    }

    /// The address of a path at one of the servers.
    pub(crate) fn url(&self, server: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.servers[server].port)
    }

    /// Ends a server as a power cut would.
    pub(crate) fn kill(&self, server: usize) -> Result<()> {
        let running = self.running(server).take();
        running.map_or(Ok(()), RegistryProcess::kill)
    }

    /// Starts a server that does not run, and waits until it answers.
    pub(crate) fn resume(&self, server: usize) -> Result<()> {
        if self.running(server).is_some() {
            return Ok(());
        }
        let mut serve = Command::new(program()?);
        serve.env_clear().arg("serve").arg(&self.servers[server].config);
        let log = self.folder.path().join(format!("{server}.log"));
        let process = RegistryProcess::start(&mut serve, &log)?;
        process
            .wait_for(|| {
                let mut ready = Command::new("curl");
                ready.args(["--silent", "--fail", &self.url(server, "/readyz")]);
                ready
            })
            .with_context(|| format!("server {server} does not come back"))?;
        *self.running(server) = Some(process);
        Ok(())
    }

    /// Starts all that do not run.
    pub(crate) fn resume_all(&self) -> Result<()> {
        (0..SERVERS).try_for_each(|server| self.resume(server))
    }

    fn running(&self, server: usize) -> std::sync::MutexGuard<'_, Option<RegistryProcess>> {
        self.servers[server].process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
