//! The threads of the load: one, or as many as there are processors where the clients have as much to do as the server.

use super::clients::{Clients, Tally};
use super::request::Operation;
use super::stream::Trust;
use anyhow::{Context, Result};
use std::thread;
use std::time::Duration;

/// Connections, spread over the threads.
#[derive(Debug)]
pub(crate) struct Threads<'a>(Vec<Clients<'a>>);

impl<'a> Threads<'a> {
    /// Opens the connections, and sends the first request on each.
    pub(crate) fn open(
        port: u16,
        trust: Option<&Trust>,
        count: usize,
        operations: &'a [Operation],
    ) -> Result<Self> {
        let threads = threads(trust)?.min(count);
        let shares = (0..threads).map(|thread| count / threads + usize::from(thread < count % threads));
        shares.map(|share| Clients::open(port, trust, share, operations)).collect::<Result<_>>().map(Self)
    }

    /// Goes on for so long, until something has come to each thread and so many operations are over on it.
    pub(crate) fn run(&mut self, time: Duration, least: u64) -> Result<Tally> {
        if let [clients] = self.0.as_mut_slice() {
            return clients.run(time, least);
        }
        thread::scope(|scope| {
            let clients = self.0.iter_mut();
            let running: Vec<_> =
                clients.map(|clients| scope.spawn(move || clients.run(time, least))).collect();
            running.into_iter().try_fold(Tally::default(), |mut all, thread| {
                all.add(&thread.join().ok().context("a client has panicked")??);
                Ok(all)
            })
        })
    }
}

/// To decrypt costs more than to encrypt and to send: one thread would be what is measured.
fn threads(trust: Option<&Trust>) -> Result<usize> {
    Ok(if trust.is_some() { thread::available_parallelism()?.get() } else { 1 })
}
