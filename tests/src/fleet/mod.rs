//! Servers that share one storage and one user, any of which may be killed at any time, and clients that do not care which
//! one answers.

mod client;
mod connection;
mod server;

pub use client::{Ask, Client};

use crate::cluster::wait;
use crate::command::succeed;
use crate::registry_process::program;
use crate::registry_server::htpasswd;
use crate::storage::Storage;
use anyhow::{Result, ensure};
use fastrand::Rng;
use server::{PASSWORD_FILE, Server};
use std::fmt;
use std::fs;
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How many servers there are.
pub const SERVERS: usize = 3;

/// The servers, whose configurations differ in nothing but the port.
#[derive(Debug)]
pub struct Fleet {
    servers: Vec<Server>,
    clients: AtomicUsize,
    figures: Figures,
    _folder: TempDir,
    _storage: Storage,
}

/// What has happened to the servers.
#[derive(Debug, Default)]
struct Figures {
    requests: AtomicUsize,
    unanswered: AtomicUsize,
    kills: AtomicUsize,
}

impl Fleet {
    /// Starts the servers; `more` are further sections of their configuration.
    pub fn start(storage: Storage, more: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join(PASSWORD_FILE), htpasswd()?)?;
        let servers = (0..SERVERS).map(|number| Server::new(folder.path(), number, &storage, more));
        let servers = servers.collect::<Result<_>>()?;
        let (clients, figures) = (AtomicUsize::default(), Figures::default());
        let fleet = Self { servers, clients, figures, _folder: folder, _storage: storage };
        fleet.resume_all()?;
        Ok(fleet)
    }

    /// A client, each of which begins with another server.
    pub fn client(&self) -> Client<'_> {
        Client::new(self, self.clients.fetch_add(1, Ordering::Relaxed) % SERVERS)
    }

    /// Ends a server as a power cut would.
    pub fn kill(&self, server: usize) -> Result<()> {
        self.figures.kills.fetch_add(1, Ordering::Relaxed);
        self.servers[server].kill()
    }

    /// Starts a server that does not run, and waits until it answers.
    pub fn resume(&self, server: usize) -> Result<()> {
        self.servers[server].resume()
    }

    /// Starts all that do not run.
    pub fn resume_all(&self) -> Result<()> {
        self.servers.iter().try_for_each(Server::resume)
    }

    /// Kills one server after another, which `victim` names, and starts it again: each as soon as so many more requests
    /// have been made, a number that is chosen anew each time.
    pub fn kill_until(
        &self,
        is_over: impl Fn() -> bool,
        requests_a_life: Range<usize>,
        random: &mut Rng,
        mut victim: impl FnMut(&mut Rng) -> Result<usize>,
    ) -> Result<()> {
        let made = || self.figures.requests.load(Ordering::Relaxed);
        while !is_over() {
            let enough = made() + random.usize(requests_a_life.clone());
            wait::until("requests to be made", Duration::from_mins(2), || {
                ensure!(made() >= enough || is_over(), "{} of {enough}", made());
                Ok(())
            })?;
            let server = victim(random)?;
            self.kill(server)?;
            self.resume(server)?;
        }
        Ok(())
    }

    /// How many servers were killed.
    pub fn kills(&self) -> usize {
        self.figures.kills.load(Ordering::Relaxed)
    }

    /// What the registry's program prints that runs beside the servers on their storage; it must succeed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        succeed(Command::new(program()?).env_clear().args(arguments).arg(self.servers[0].config()))
    }

    /// The end of what each server has logged that is more than information.
    pub fn logs(&self) -> String {
        self.servers.iter().map(Server::end_of_log).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { requests, unanswered, kills } = &self.figures;
        let [requests, unanswered, kills] =
            [requests, unanswered, kills].map(|count| count.load(Ordering::Relaxed));
        write!(f, "{requests} requests, of which {unanswered} had no answer; {kills} kills")
    }
}
