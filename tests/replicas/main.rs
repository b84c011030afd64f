//! Many replicas without a database: three servers on one storage behave as one, whichever of them a request comes to and
//! whenever one of them is killed.
//!
//! `REPLICAS_SEED` makes the same choices again, `REPLICAS_SECONDS` says how long the requests go on.

mod model;
mod rivals;
mod worker;

use anyhow::{Context, Result, anyhow, ensure};
use berth_tests::fleet::{Fleet, SERVERS};
use berth_tests::storage::Storage;
use berth_tests::trial::Trial;
use std::io::{Write, stderr};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use rivals::Swaps;
use worker::{Counts, Worker};

const WORKERS: u64 = 4;
const SECONDS: u64 = 45;

/// A server is killed after so many more requests.
const REQUESTS_A_LIFE: Range<usize> = 30..300;

/// For how long a server may tell of a manifest by its digest that was deleted at another one: two seconds, and what a busy
/// machine takes beside.
const LATE_ON_S3: Duration = Duration::from_secs(5);

#[test]
fn three_servers_on_the_filesystem_behave_as_one_while_they_are_killed() -> Result<()> {
    behave_as_one("filesystem", Storage::filesystem()?, Duration::ZERO)
}

#[test]
fn three_servers_on_s3_behave_as_one_while_they_are_killed() -> Result<()> {
    behave_as_one("s3", Storage::s3()?, LATE_ON_S3)
}

/// Sends random requests round-robin and kills servers at random; then looks whether everything is there that a server has
/// acknowledged.
fn behave_as_one(name: &str, storage: Storage, late: Duration) -> Result<()> {
    let fleet = Fleet::start(storage, "")?;
    let (counts, swaps) = (Counts::default(), Swaps::default());
    let trial = Trial::new("REPLICAS", SECONDS)?;
    writeln!(stderr(), "{name}: {trial}")?;
    let workers =
        work(&fleet, &trial, late, &counts, &swaps).with_context(|| format!("{trial}\n{}", fleet.logs()))?;
    fleet.resume_all()?;
    for mut worker in workers {
        worker.check_everything().with_context(|| trial.to_string())?;
    }
    swaps.check()?;
    let check = fleet.run(&["check"])?;
    let swaps = swaps.acknowledged();
    writeln!(
        stderr(),
        "{name}: {fleet}; {counts}; {swaps} swaps of shared tags; losses 0\n{name}: {}",
        check.trim()
    )?;
    ensure!(fleet.kills() > 0, "nobody was killed");
    Ok(())
}

/// Lets all of them work, and kills servers meanwhile.
fn work<'a>(
    fleet: &'a Fleet,
    trial: &Trial,
    late: Duration,
    counts: &'a Counts,
    swaps: &'a Swaps,
) -> Result<Vec<Worker<'a>>> {
    let end = Instant::now() + trial.duration;
    thread::scope(|scope| {
        let working: Vec<_> = (0..WORKERS)
            .map(|number| {
                let worker = Worker::new(number, trial.choices(number), fleet, late, counts, swaps);
                scope.spawn(move || worker.work_until(end))
            })
            .collect();
        let is_over = || Instant::now() >= end || working.iter().any(thread::ScopedJoinHandle::is_finished);
        let random = &mut trial.choices(WORKERS);
        let killed = fleet.kill_until(is_over, REQUESTS_A_LIFE, random, |random| Ok(random.usize(..SERVERS)));
        let workers =
            working.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?);
        let workers = workers.collect::<Result<Vec<_>>>();
        killed.and(workers)
    })
}
