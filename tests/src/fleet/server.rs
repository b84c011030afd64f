//! One of the servers: it runs, or it was killed.

use super::connection::Connection;
use crate::registry_process::{RegistryProcess, free_port, program};
use crate::storage::Storage;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The name of the file of users in the folder of all servers.
pub(super) const PASSWORD_FILE: &str = "htpasswd";

/// How many lines of a log are shown.
const LINES: usize = 20;

#[derive(Debug)]
pub(super) struct Server {
    number: usize,
    port: u16,
    folder: PathBuf,
    process: Mutex<Option<RegistryProcess>>,
    /// How often it was killed or started: what is odd is a time in which it runs.
    turns: AtomicUsize,
}

impl Server {
    /// A server that does not run yet, with its files in the folder.
    pub(super) fn new(folder: &Path, number: usize, storage: &Storage, more: &str) -> Result<Self> {
        let (port, folder) = (free_port()?, folder.to_owned());
        let server = Self { number, port, folder, process: Mutex::default(), turns: AtomicUsize::default() };
        let text = format!(
            "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\n\
             storage:\n  {}\n  delete: {{enabled: true}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\n\
             auth: {{htpasswd: {{realm: Berth, path: {}}}}}\n{more}",
            storage.line(),
            server.folder.join(PASSWORD_FILE).display()
        );
        fs::write(server.config(), text)?;
        Ok(server)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.join(format!("{}.yml", self.number))
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.number))
    }

    /// A connection that lasts as long as this life.
    pub(super) fn connect(&self, life: usize) -> Result<Connection> {
        Connection::open(self.port, life)
    }

    /// The life that it is in, which ends when it is killed; `None` while it does not run.
    pub(super) fn life(&self) -> Option<usize> {
        let turn = self.turns.load(Ordering::SeqCst);
        (turn % 2 == 1).then_some(turn)
    }

    pub(super) fn kill(&self) -> Result<()> {
        let Some(process) = self.running().take() else { return Ok(()) };
        // Before its clients notice.
        self.turns.fetch_add(1, Ordering::SeqCst);
        process.kill()
    }

    pub(super) fn resume(&self) -> Result<()> {
        let mut running = self.running();
        if running.is_some() {
            return Ok(());
        }
        let mut serve = Command::new(program()?);
        serve.env_clear().arg("serve").arg(self.config());
        let process = RegistryProcess::start(&mut serve, &self.log())?;
        process
            .wait_for(|| {
                let mut ready = Command::new("curl");
                ready.args(["--silent", "--fail", &format!("http://127.0.0.1:{}/readyz", self.port)]);
                ready
            })
            .with_context(|| format!("server {} does not come back", self.number))?;
        *running = Some(process);
        self.turns.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    pub(super) fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().filter(|line| !line.contains("level=info")).collect();
        format!("-- server {}\n{}", self.number, lines[lines.len().saturating_sub(LINES)..].join("\n"))
    }

    fn running(&self) -> MutexGuard<'_, Option<RegistryProcess>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
