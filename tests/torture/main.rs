//! Garbage collection against writers: clients push images that share layers, others delete them, three servers on one
//! storage collect garbage without pause, each in turn, and are killed. Nothing that was acknowledged is ever lost, and in
//! the end all garbage is gone.
//!
//! `TORTURE_SECONDS` says how long it goes on, `TORTURE_SEED` repeats the choices of an earlier run.

mod collector;
mod content;
mod deleter;
mod killer;
mod model;
mod pace;
mod tally;
mod verifier;
mod writer;

use anyhow::{Result, anyhow, ensure};
use berth_tests::fleet::Fleet;
use berth_tests::storage::Storage;
use berth_tests::trial::Trial;
use model::Model;
use pace::Pace;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;
use tally::Tally;

const WRITERS: u64 = 8;
const DELETERS: u64 = 2;
const SECONDS: u64 = 30;

/// What everybody who takes part needs.
struct Torture {
    fleet: Fleet,
    pace: Pace,
    model: Model,
    tally: Tally,
    /// The server that has begun the last collection.
    collecting: AtomicUsize,
    is_over: AtomicBool,
}

impl Torture {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn collecting(&self) -> usize {
        self.collecting.load(Ordering::Relaxed)
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_all_garbage_goes_on_the_filesystem() -> Result<()> {
    torture("filesystem", Storage::filesystem()?, Pace::FILESYSTEM)
}

#[test]
fn nothing_acknowledged_is_lost_and_all_garbage_goes_on_s3() -> Result<()> {
    torture("s3", Storage::s3()?, Pace::S3)
}

/// Tortures three servers on the storage.
fn torture(name: &str, storage: Storage, pace: Pace) -> Result<()> {
    let trial = Trial::new("TORTURE", SECONDS)?;
    tell(&format!("{name}: {trial}"))?;
    let torture = Torture {
        fleet: Fleet::start(storage, "trash: {window: 0s}\n")?,
        pace,
        model: Model::default(),
        tally: Tally::default(),
        collecting: AtomicUsize::default(),
        is_over: AtomicBool::new(false),
    };
    let outcome = strain(&torture, &trial).and_then(|()| settle(&torture));
    tell(&format!("{name}: {}; {}", torture.fleet, torture.tally))?;
    outcome.map_err(|error| error.context(torture.fleet.logs()))?;
    let losses = torture.tally.losses();
    ensure!(losses.is_empty(), "lost: {losses:#?}\n{}", torture.fleet.logs());
    ensure!(torture.tally.is_worth_something() && torture.fleet.kills() > 1, "hardly anything happened");
    Ok(())
}

/// Lets all of them work for that long, or until the first failure. A machine that is busy with other things gets more time
/// until writers and collectors have met.
fn strain(torture: &Torture, trial: &Trial) -> Result<()> {
    let started = Instant::now();
    let is_enough = || match started.elapsed() {
        elapsed if elapsed < trial.duration => false,
        elapsed => torture.tally.is_worth_something() || elapsed > 4 * trial.duration,
    };
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for number in 0..WRITERS {
            workers.push(scope.spawn(move || writer::write(torture, number, trial.choices(number))));
        }
        for number in WRITERS..WRITERS + DELETERS {
            workers.push(scope.spawn(move || deleter::delete(torture, trial.choices(number))));
        }
        workers.push(scope.spawn(move || writer::write_late(torture, trial.choices(99))));
        workers.push(scope.spawn(move || verifier::verify(torture, trial.choices(100))));
        for number in [200, 201] {
            workers
                .push(scope.spawn(move || collector::collect_without_pause(torture, trial.choices(number))));
        }
        let is_over = || is_enough() || workers.iter().any(thread::ScopedJoinHandle::is_finished);
        let killed = killer::kill_until(torture, is_over, trial.choices(101));
        torture.is_over.store(true, Ordering::Relaxed);
        let ended =
            workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?);
        ended.chain([killed]).collect()
    })
}

/// Looks at everything that was acknowledged, lets all garbage be collected, and looks again.
fn settle(torture: &Torture) -> Result<()> {
    verifier::verify_all(torture)?;
    collector::collect_all(torture)?;
    verifier::verify_all(torture)?;
    verifier::verify_that_nothing_else_is_tagged(torture)?;
    verifier::verify_that_garbage_is_gone(torture)
}

/// Prints the line where the harness of the tests does not hold it back.
fn tell(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}
