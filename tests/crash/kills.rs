//! The server is killed hundreds of times, between any two system calls, and its storage fails now and then, while clients
//! push, mount and delete and garbage is collected.
//!
//! `CRASH_SECONDS` says for how long, beyond the least; `CRASH_SEED` makes the choices of an earlier run.

use crate::storm::{Client, Life, Server, Site, Storm, Tally, Weapon, leftovers, live};
use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// How many servers live at least.
const LIVES: usize = 160;

/// After so many lives, everything that is kept is read.
const CHECK_EVERY: usize = 25;

/// How old leftovers are that the server removes: older than `uploadpurging.age`.
const FORGOTTEN: Duration = Duration::from_hours(24 * 8);

#[test]
fn nothing_acknowledged_is_lost_wherever_the_server_is_killed_and_whatever_fails() -> Result<()> {
    let (mut storm, tally) = (Storm::new("kills", LIVES)?, Tally::default());
    let site = Site::new(None)?;
    let outcome = rage(&mut storm, &site, &tally);
    storm.tell("kills", &tally, &site, outcome)?;
    for what in [
        "servers killed at",
        "servers killed from outside",
        "servers with failures injected",
        "collections killed",
        "blobs collected",
    ] {
        ensure!(tally.of(what) > 0, "{what}: there was none");
    }
    Ok(())
}

/// Lets one server after another live and end.
fn rage(storm: &mut Storm, site: &Site, tally: &Tally) -> Result<()> {
    let mut clients = storm.clients(tally, false);
    let mut round = 0;
    while storm.goes_on(round) {
        round += 1;
        let weapon = Weapon::any(&mut storm.random);
        if weapon.is_slow() {
            see_everything(&mut clients, site, tally)?;
        }
        match site.start(&weapon)? {
            Some(server) => end(storm, server, &weapon, &mut clients, tally)?,
            None => tally.count("servers that ended before they answered"),
        }
        site.end_lease(tally)?;
        if round % CHECK_EVERY == 0 {
            site.check(tally)?;
        }
    }
    see_everything(&mut clients, site, tally)?;
    collect_everything(site, tally)?;
    see_everything(&mut clients, site, tally)?;
    site.check(tally)?;
    leave_nothing(site, tally)
}

/// Lets everybody work with the server until the weapon strikes, or for long enough.
fn end(
    storm: &mut Storm,
    mut server: Server,
    weapon: &Weapon,
    clients: &mut [Client<'_>],
    tally: &Tally,
) -> Result<()> {
    // Some live for so long that collections end.
    let is_long = storm.random.u8(..10) == 0;
    let enough = storm.random.usize(if is_long { 100..200 } else { 1..60 });
    let is_looked_through = weapon.is_slow();
    let life = Life { port: server.port, most: enough + 20, is_looked_through, ..Life::default() };
    life.may_fail.store(matches!(weapon, Weapon::Fail(..)), Ordering::Relaxed);
    let life = Arc::new(life);
    live(&life, clients, tally, Some(storm.random.fork()), || {
        let has_ended = server.has_ended()?;
        if has_ended {
            tally.count(&format!("servers killed {}", weapon.name()));
        } else if life.operations.load(Ordering::Relaxed) >= enough {
            tally.count("servers killed from outside");
            server.kill()?;
        }
        Ok(has_ended || server.has_ended()?)
    })?;
    if let Weapon::Fail(..) = weapon {
        tally.count(&format!("servers with failures injected: {}", weapon.name()));
    }
    server.kill()
}

/// A server that nothing happens to until it is killed has everything.
fn see_everything(clients: &mut [Client<'_>], site: &Site, tally: &Tally) -> Result<()> {
    let mut server = site.start(&Weapon::Kill)?.context("no server")?;
    let (life, everybody) = (Arc::new(Life { port: server.port, ..Life::default() }), clients.len());
    for client in clients {
        client.live(&life)?;
    }
    ensure!(life.at_work.load(Ordering::Relaxed) == everybody, "somebody has not seen everything");
    tally.count("servers killed when everything was seen");
    server.kill()
}

/// A collector that nobody disturbs deletes what those have left that were killed.
fn collect_everything(site: &Site, tally: &Tally) -> Result<()> {
    let collected = site.collect(&Weapon::Kill)?;
    ensure!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
    let report: Value = serde_json::from_slice(&collected.stdout)?;
    tally.add("blobs collected", report["blobsDeleted"].as_u64().unwrap_or_default());
    Ok(())
}

/// What interrupted writes have left goes by itself when its time has come.
fn leave_nothing(site: &Site, tally: &Tally) -> Result<()> {
    let left = leftovers::find(&site.data())?;
    tally.add("temporary files and empty folders left", left.len() as u64);
    leftovers::date(&site.data(), SystemTime::now() - FORGOTTEN)?;
    let mut server = site.start(&Weapon::Kill)?.context("no server")?;
    wait::until("leftovers to go", Duration::from_secs(30), || {
        let left = leftovers::find(&site.data())?;
        ensure!(left.is_empty(), "{} are left, such as {}", left.len(), left[0].display());
        Ok(())
    })?;
    server.kill()
}
