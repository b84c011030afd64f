//! A garbage collector of its own process, killed while it deletes, beside a server that goes on.

use crate::storm::{Life, Site, Storm, Tally, Weapon, live};
use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long the lease of a collector that died holds up the next one, and what it said that it was deleting, at most; and
/// some time for a busy machine.
const HELD_UP: Duration = Duration::from_mins(3);

#[test]
fn a_collector_that_is_killed_while_it_deletes_leaves_nothing_half_done_and_is_followed_by_another()
-> Result<()> {
    let (storm, tally) = (Storm::new("killed collector", 0)?, Tally::default());
    let site = Site::new(None)?;
    let outcome = collect_beside_clients(&storm, &site, &tally);
    storm.tell("killed collector", &tally, &site, outcome)
}

fn collect_beside_clients(storm: &Storm, site: &Site, tally: &Tally) -> Result<()> {
    let mut clients = storm.clients(tally, false);
    let mut server = site.start(&Weapon::Kill)?.context("no server")?;
    let life = Arc::new(Life { port: server.port, most: usize::MAX, ..Life::default() });
    thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            kill_while_it_deletes(&life, site, tally)?;
            collect_after_it(site, tally)
        });
        let working = live(&life, &mut clients, tally, None, || Ok(collecting.is_finished()));
        collecting.join().map_err(|_| anyhow::anyhow!("the collecting panicked"))?.and(working)
    })?;
    let life = Arc::new(Life { port: server.port, ..Life::default() });
    clients.iter_mut().try_for_each(|client| client.live(&life))?;
    server.kill()?;
    site.check(tally)
}

/// Collects until a collector has died while it was deleting.
fn kill_while_it_deletes(life: &Life, site: &Site, tally: &Tally) -> Result<()> {
    for calls in 3..20 {
        let operations = life.operations.load(Ordering::Relaxed) + 100;
        wait::until("garbage", Duration::from_mins(2), || {
            ensure!(life.operations.load(Ordering::Relaxed) > operations, "there is none yet");
            Ok(())
        })?;
        site.collect(&Weapon::KillAt("unlink", calls))?;
        if site.is_deleting() {
            tally.count("collectors killed while they deleted");
            return Ok(());
        }
        site.end_lease(tally)?;
    }
    anyhow::bail!("no collector has died while it was deleting")
}

/// The next collector waits for the end of the lease, and for nothing else.
fn collect_after_it(site: &Site, tally: &Tally) -> Result<()> {
    let started = Instant::now();
    wait::until("the next collector", HELD_UP, || {
        let collected = site.collect(&Weapon::Kill)?;
        ensure!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
        Ok(())
    })?;
    tally.add("seconds until the next collector had ended", started.elapsed().as_secs());
    ensure!(!site.is_deleting(), "something is still said to be being deleted");
    Ok(())
}
