//! Clients that make random changes while the server under them is ended again and again, and hold each next one to what was
//! acknowledged.

mod client;
mod collector;
mod connection;
mod content;
mod deletions;
mod disk;
pub(crate) mod leftovers;
mod loose;
mod model;
mod operations;
mod pushes;
mod refusals;
mod site;
mod tally;
mod upload;
mod verify;
mod weapon;

pub(crate) use client::{Client, Life};
pub(crate) use disk::{Disk, Kind};
pub(crate) use site::{Server, Site};
pub(crate) use tally::Tally;
pub(crate) use weapon::Weapon;

use anyhow::{Context, Result, anyhow};
use fastrand::Rng;
use std::env;
use std::io::{Write as _, stderr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How many clients there are.
const CLIENTS: u64 = 3;

/// How long a storm goes on, and by which choices.
#[derive(Debug)]
pub(crate) struct Storm {
    pub(crate) seed: u64,
    pub(crate) random: Rng,
    least: usize,
    end: Instant,
}

impl Storm {
    /// A storm of at least so many rounds. `CRASH_SECONDS` makes it go on for that long, `CRASH_SEED` makes the choices of
    /// an earlier one.
    pub(crate) fn new(name: &str, least: usize) -> Result<Self> {
        let seed = number("CRASH_SEED")?.unwrap_or_else(|| fastrand::u64(..));
        let seconds = number("CRASH_SECONDS")?.unwrap_or_default();
        writeln!(stderr(), "{name}: CRASH_SEED={seed} CRASH_SECONDS={seconds}")?;
        let end = Instant::now() + Duration::from_secs(seconds);
        Ok(Self { seed, random: Rng::with_seed(seed), least, end })
    }

    pub(crate) fn goes_on(&self, round: usize) -> bool {
        round < self.least || Instant::now() < self.end
    }

    pub(crate) fn clients<'a>(&self, tally: &'a Tally, loses_power: bool) -> Vec<Client<'a>> {
        let client =
            |number| Client::new(format!("c{number}"), self.seed.wrapping_add(number), tally, loses_power);
        (0..CLIENTS).map(client).collect()
    }

    /// Prints what has happened, where the harness of the tests does not hold it back, and says of a failure how to repeat it.
    pub(crate) fn tell(&self, name: &str, tally: &Tally, site: &Site, outcome: Result<()>) -> Result<()> {
        let losses = usize::from(outcome.is_err());
        writeln!(stderr(), "{name}, CRASH_SEED={}:\n{tally}{losses:>8}  losses", self.seed)?;
        // The loss comes first: a reader, or a report that is cut, has it before the long log.
        outcome
            .map_err(|loss| anyhow!("CRASH_SEED={}: {loss:#}\nthe log ends so:\n{}", self.seed, site.log()))
    }
}

/// Lets everybody work with a server until it is struck, or somebody ends. With `random`, garbage is collected as well.
pub(crate) fn live(
    life: &Arc<Life>,
    clients: &mut [Client<'_>],
    tally: &Tally,
    random: Option<Rng>,
    mut is_struck: impl FnMut() -> Result<bool>,
) -> Result<()> {
    thread::scope(|scope| {
        let mut workers: Vec<_> =
            clients.iter_mut().map(|client| scope.spawn(move || client.live(life))).collect();
        if let Some(random) = random {
            workers.push(scope.spawn(move || collector::collect(life, tally, random)));
        }
        let mut struck = Ok(false);
        while matches!(struck, Ok(false)) && !workers.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::park_timeout(Duration::from_millis(1));
            struck = is_struck();
        }
        life.is_over.store(true, Ordering::Relaxed);
        let ended =
            workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?);
        ended.collect::<Vec<_>>().into_iter().collect::<Result<()>>()?;
        struck.map(drop)
    })
}

/// A number in the environment; an empty one counts as not set.
fn number(variable: &str) -> Result<Option<u64>> {
    let text = env::var(variable).unwrap_or_default();
    let parse =
        |text: &str| text.parse().with_context(|| format!("{variable} must be a number, not {text:?}"));
    (!text.is_empty()).then(|| parse(&text)).transpose()
}
