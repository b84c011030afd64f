//! Many replicas without a database: three servers on one storage behave as one, whichever of them a request comes to and
//! whenever one of them is killed.
//!
//! `BERTH_SEED` makes the same choices again, `BERTH_SECONDS` says how long the requests go on.

mod client;
mod fleet;
mod model;
mod rivals;
mod worker;

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::registry_process::program;
use fastrand::Rng;
use std::env;
use std::io::{Write, stderr};
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use fleet::Fleet;
use rivals::Swaps;
use worker::{Counts, Worker};

const WORKERS: usize = 4;
const SECONDS: u64 = 45;

/// A server is killed after so many more requests, chosen anew each time.
const REQUESTS_A_LIFE: Range<usize> = 10..100;

#[test]
fn three_servers_on_a_shared_folder_behave_as_one_while_they_are_killed() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let fleet = Fleet::start(&format!("filesystem: {{rootdirectory: {}}}", data.display()))?;
    torture(&fleet)?;
    let check = succeed(Command::new(program()?).arg("check").arg("--root").arg(&data))?;
    writeln!(stderr(), "{check}")?;
    Ok(())
}

/// Sends random requests round-robin and kills servers at random; then looks whether everything is there that a server has
/// acknowledged.
fn torture(fleet: &Fleet) -> Result<()> {
    let seed = number("BERTH_SEED", fastrand::u64(..))?;
    let end = Instant::now() + Duration::from_secs(number("BERTH_SECONDS", SECONDS)?);
    writeln!(stderr(), "seed {seed}")?;
    let (counts, swaps) = (Counts::default(), Swaps::default());
    let workers = thread::scope(|scope| {
        let working: Vec<_> = (0..WORKERS)
            .map(|number| {
                let worker = Worker::new(number, seed.wrapping_add(number as u64), fleet, &counts, &swaps);
                scope.spawn(move || worker?.work_until(end))
            })
            .collect();
        let killed = kill_until(end, fleet, &counts, seed);
        let worked = working
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?);
        let workers = worked.collect::<Result<Vec<_>>>();
        killed.and(workers)
    })
    .with_context(|| format!("with the seed {seed}"))?;
    fleet.resume_all()?;
    for mut worker in workers {
        worker.check_everything().with_context(|| format!("with the seed {seed}"))?;
    }
    swaps.check()?;
    writeln!(stderr(), "{counts}; {} swaps of shared tags; losses 0", swaps.acknowledged())?;
    ensure!(counts.kills.load(Ordering::Relaxed) > 0, "nobody was killed");
    Ok(())
}

/// Kills one server after another, each as soon as enough requests have been made since, and starts it again.
fn kill_until(end: Instant, fleet: &Fleet, counts: &Counts, seed: u64) -> Result<()> {
    let mut random = Rng::with_seed(seed.rotate_left(32));
    while Instant::now() < end {
        let enough = counts.requests.load(Ordering::Relaxed) + random.usize(REQUESTS_A_LIFE);
        wait::until("requests to be made", Duration::from_mins(1), || {
            let made = counts.requests.load(Ordering::Relaxed);
            ensure!(made >= enough || Instant::now() >= end, "{made} of {enough}");
            Ok(())
        })?;
        let server = random.usize(..fleet::SERVERS);
        fleet.kill(server)?;
        counts.kills.fetch_add(1, Ordering::Relaxed);
        fleet.resume(server)?;
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> Result<u64> {
    match env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable} must be a number, not {text:?}")),
        Err(_) => Ok(default),
    }
}
