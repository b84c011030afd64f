//! Requests that come to another server each time.

use super::connection::Connection;
use super::{Fleet, SERVERS};
use crate::http::Answer;
use anyhow::{Context, Result, ensure};
use std::array;
use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long a request is sent again while servers are down.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long it is waited before it is sent again.
const PAUSE: Duration = Duration::from_millis(50);

/// A client of all servers of a fleet.
#[derive(Debug)]
pub struct Client<'a> {
    fleet: &'a Fleet,
    server: usize,
    connections: [Option<Connection>; SERVERS],
}

/// A request to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The method; `GET` unless it is given.
    pub method: &'a str,
    /// The path and the query.
    pub path: &'a str,
    /// Whole lines, such as `Content-Type: text/plain`.
    pub headers: &'a [String],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Client<'a> {
    pub(super) fn new(fleet: &'a Fleet, server: usize) -> Self {
        Self { fleet, server, connections: array::from_fn(|_| None) }
    }

    /// The server that was asked last.
    pub fn server(&self) -> usize {
        self.server
    }

    /// Sends a request to the next server that runs. `None` when that was killed before it had answered: what was asked
    /// for may have been done or not.
    pub fn send(&mut self, ask: Ask<'_>) -> Result<Option<Answer>> {
        let mut others = (1..=SERVERS).map(|step| (self.server + step) % SERVERS);
        let next = others.find(|other| self.fleet.servers[*other].life().is_some());
        self.send_to(next.unwrap_or(self.server), ask)
    }

    /// The same with a server of one's choice.
    pub fn send_to(&mut self, server: usize, ask: Ask<'_>) -> Result<Option<Answer>> {
        self.server = server;
        let figures = &self.fleet.figures;
        figures.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.exchange(ask).with_context(|| format!("{} {}", ask.method, ask.path))?;
        match &answer {
            Some(answer) => {
                let (method, path, text) = (ask.method, ask.path, answer.text());
                ensure!(answer.status < 500, "{method} {path}: {} {text}", answer.status);
            }
            None => drop(figures.unanswered.fetch_add(1, Ordering::Relaxed)),
        }
        Ok(answer)
    }

    /// Sends a request to one server after another until one answers. Also tells whether it was sent before, so that it may
    /// have been done twice.
    pub fn insist(&mut self, ask: Ask<'_>) -> Result<(Answer, bool)> {
        let started = Instant::now();
        let mut was_sent = false;
        loop {
            if let Some(answer) = self.send(ask)? {
                return Ok((answer, was_sent));
            }
            was_sent = true;
            ensure!(started.elapsed() < PATIENCE, "no server answers {} {}", ask.method, ask.path);
            thread::park_timeout(PAUSE);
        }
    }

    /// The same for a request without headers and body.
    pub fn question(&mut self, method: &str, path: &str) -> Result<Answer> {
        Ok(self.insist(Ask { method, path, ..Ask::default() })?.0)
    }

    fn exchange(&mut self, ask: Ask<'_>) -> Result<Option<Answer>> {
        let server = &self.fleet.servers[self.server];
        let Some(life) = server.life() else { return Ok(None) };
        let kept = self.connections[self.server].take().filter(|kept| kept.life() == life && kept.is_fresh());
        let connection = kept.map_or_else(|| server.connect(life), Ok);
        let exchanged = connection.and_then(|mut connection| {
            let answer = connection.send(&ask)?;
            self.connections[self.server] = connection.kept(&answer);
            Ok(answer)
        });
        match exchanged {
            Err(error) if error.root_cause().is::<io::Error>() && server.life() != Some(life) => Ok(None),
            exchanged => exchanged.map(Some),
        }
    }
}
