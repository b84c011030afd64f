//! Garbage collection against writers: clients push images that share layers, others delete them, and three servers on one
//! storage collect garbage without pause, each in turn. Nothing that was acknowledged is ever lost, and in the end all
//! garbage is gone.
//!
//! `TORTURE_SECONDS` says how long it goes on (a minute unless set), `TORTURE_SEED` repeats the choices of an earlier run.

mod collector;
mod connection;
mod content;
mod deleter;
mod dice;
mod model;
mod site;
mod tally;
mod verifier;
mod writer;

use anyhow::{Result, anyhow, ensure};
use dice::Dice;
use model::Model;
use site::Site;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tally::Tally;

const WRITERS: u64 = 8;
const DELETERS: u64 = 2;

/// What everybody who takes part needs.
struct Torture {
    site: Site,
    model: Model,
    tally: Tally,
    is_over: AtomicBool,
}

impl Torture {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_all_garbage_goes_on_a_shared_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let storage = format!("filesystem: {{rootdirectory: {}}}", folder.path().join("data").display());
    torture(&storage)
}

/// Tortures three servers whose configuration has this in its section `storage`.
fn torture(storage: &str) -> Result<()> {
    let (seed, duration) = (seed(), duration());
    tell(&format!("TORTURE_SEED={seed} TORTURE_SECONDS={}", duration.as_secs()))?;
    let torture = Torture {
        site: Site::start(storage)?,
        model: Model::default(),
        tally: Tally::default(),
        is_over: AtomicBool::new(false),
    };
    let outcome = strain(&torture, seed, duration).and_then(|()| settle(&torture, Dice::new(seed)));
    tell(&torture.tally.to_string())?;
    outcome.map_err(|error| error.context(torture.site.logs()))?;
    let losses = torture.tally.losses();
    ensure!(losses.is_empty(), "lost: {losses:#?}\n{}", torture.site.logs());
    ensure!(torture.tally.is_worth_something(), "hardly anything happened");
    Ok(())
}

/// Lets all of them work for that long, or until the first failure.
fn strain(torture: &Torture, seed: u64, duration: Duration) -> Result<()> {
    thread::scope(|scope| {
        let dice = |number: u64| Dice::new(seed.wrapping_mul(1000).wrapping_add(number));
        let mut workers = Vec::new();
        for number in 0..WRITERS {
            workers.push(scope.spawn(move || writer::write(torture, number, dice(number))));
        }
        for number in WRITERS..WRITERS + DELETERS {
            workers.push(scope.spawn(move || deleter::delete(torture, dice(number))));
        }
        workers.push(scope.spawn(move || writer::write_late(torture, dice(99))));
        workers.push(scope.spawn(move || verifier::verify(torture, dice(100))));
        for number in [200, 201] {
            workers.push(scope.spawn(move || collector::collect_without_pause(torture, dice(number))));
        }
        let end = Instant::now() + duration;
        while Instant::now() < end && !workers.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::park_timeout(Duration::from_millis(100));
        }
        torture.is_over.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
    })
}

/// Looks at everything that was acknowledged, lets all garbage be collected, and looks again.
fn settle(torture: &Torture, mut dice: Dice) -> Result<()> {
    verifier::verify_all(torture, &mut dice)?;
    collector::collect_all(torture)?;
    verifier::verify_all(torture, &mut dice)?;
    verifier::verify_that_garbage_is_gone(torture, &mut dice)
}

/// Prints the line where the harness of the tests does not hold it back.
fn tell(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

fn seed() -> u64 {
    let from_clock = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(1, |now| u64::from(now.subsec_nanos()))
    };
    number("TORTURE_SEED").unwrap_or_else(from_clock)
}

fn duration() -> Duration {
    Duration::from_secs(number("TORTURE_SECONDS").unwrap_or(60))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
