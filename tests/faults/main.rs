//! Faults of the store: clients push, pull and delete while every way of going wrong happens to the requests that the
//! registry sends to its S3 server, now and then, all the time, and now and then again.
//!
//! A client sees success, or a 503 that says so; what was acknowledged is there in the end, with every byte.
//! `FAULTS_SECONDS` says how long it goes on, `FAULTS_SEED` makes the choices of an earlier run again.

mod blobs;
mod client;
mod connection;
mod cut;
mod images;
mod lists;
mod memory;
mod model;
mod site;
mod tally;
mod worker;

use anyhow::{Context, Result, anyhow, ensure};
use std::env;
use std::io::{Write as _, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use berth_tests::fault_proxy::Fault;
use site::Site;
use tally::Tally;
use worker::Worker;

const WORKERS: u64 = 12;
const SECONDS: u64 = 45;

/// How many of a thousand requests go wrong.
const RATE: u32 = 150;

/// A part of the time: how long it is, of twentieths of the whole, and what goes wrong in it.
const PHASES: [(u32, Storm); 6] = [
    (8, Storm::Some),
    (2, Storm::Away),
    (3, Storm::Some),
    (2, Storm::All(None)),
    (2, Storm::All(Some(Fault::Silent))),
    (3, Storm::Some),
];

/// What goes wrong.
#[derive(Clone, Copy)]
enum Storm {
    /// Some requests.
    Some,
    /// All of them, in one way or in any.
    All(Option<Fault>),
    /// There is no server.
    Away,
}

#[test]
fn nothing_acknowledged_is_lost_and_nobody_is_misled_while_requests_to_s3_go_wrong() -> Result<()> {
    let seed = number("FAULTS_SEED", fastrand::u64(..1_000_000))?;
    let duration = Duration::from_secs(number("FAULTS_SECONDS", SECONDS)?);
    writeln!(stderr(), "FAULTS_SEED={seed} FAULTS_SECONDS={}", duration.as_secs())?;
    let site = Site::start(seed)?;
    let tally = Tally::default();
    let outcome = strain(&site, &tally, seed, duration);
    writeln!(stderr(), "{tally}; {} requests to S3, {:?}", site.proxy.requests(), site.proxy.faults())?;
    let memory = site.largest_memory()?;
    writeln!(stderr(), "memory at its largest: {} MiB", memory >> 20)?;
    outcome.with_context(|| format!("with the seed {seed}; the log says\n{}", site.end_of_log()))?;
    ensure!(memory < memory::BOUND_OF_STRAIN, "the server took {} MiB", memory >> 20);
    site.assert_log_holds_no_secret()?;
    site.stop_and_check()?;
    ensure!(tally.is_worth_something(), "hardly anything happened");
    Ok(())
}

/// Lets the workers work while phase follows phase; then everything that was acknowledged is looked at.
fn strain(site: &Site, tally: &Tally, seed: u64, duration: Duration) -> Result<()> {
    let is_over = AtomicBool::new(false);
    let workers = thread::scope(|scope| {
        let goes_on = || !is_over.load(Ordering::Relaxed);
        let working: Vec<_> = (0..WORKERS)
            .map(|number| {
                let worker = Worker::new(number, seed.wrapping_mul(1000).wrapping_add(number), site, tally);
                scope.spawn(move || worker.work_while(goes_on))
            })
            .collect();
        let stopped = || working.iter().any(thread::ScopedJoinHandle::is_finished);
        for (twentieths, storm) in PHASES {
            begin(site, storm);
            wait(duration * twentieths / 20, stopped);
            site.proxy.come_back();
        }
        is_over.store(true, Ordering::Relaxed);
        site.proxy.set_only(None);
        site.proxy.set_rate(0);
        working
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    workers.into_iter().try_for_each(Worker::check_everything)
}

fn begin(site: &Site, storm: Storm) {
    site.proxy.set_only(None);
    site.proxy.set_rate(RATE);
    match storm {
        Storm::Some => {}
        Storm::Away => site.proxy.leave(),
        Storm::All(fault) => {
            site.proxy.set_only(fault);
            site.proxy.set_rate(1000);
        }
    }
}

/// Lets that much time pass, or less when something has failed.
fn wait(duration: Duration, stopped: impl Fn() -> bool) {
    let end = Instant::now() + duration;
    while Instant::now() < end && !stopped() {
        thread::park_timeout(Duration::from_millis(100));
    }
}

fn number(variable: &str, default: u64) -> Result<u64> {
    match env::var(variable) {
        Ok(text) if !text.is_empty() => {
            text.parse().with_context(|| format!("{variable} must be a number, not {text:?}"))
        }
        _ => Ok(default),
    }
}
