//! The power of a disk is cut dozens of times while clients push, mount and delete and garbage is collected: what was only
//! in memory is lost, and nothing of it had been acknowledged.
//!
//! `CRASH_SECONDS` says for how long, beyond the least; `CRASH_SEED` makes the choices of an earlier run.

use crate::storm::{Client, Disk, Kind, Life, Site, Storm, Tally, Weapon, live};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// After so many cuts, everything that is kept is read.
const CHECK_EVERY: usize = 10;

#[test]
fn nothing_acknowledged_is_lost_when_the_power_of_an_ext4_disk_is_cut() -> Result<()> {
    survive("power of ext4", Kind::Ext4, 40)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_of_an_xfs_disk_is_cut() -> Result<()> {
    survive("power of XFS", Kind::Xfs, 24)
}

fn survive(name: &str, kind: Kind, cuts: usize) -> Result<()> {
    let (mut storm, tally) = (Storm::new(name, cuts)?, Tally::default());
    let site = Site::new(Some(Disk::new(kind)?))?;
    let disk = site.disk().context("no disk")?;
    let outcome = rage(&mut storm, &site, disk, &tally);
    storm.tell(name, &tally, &site, outcome)
}

/// Cuts the power again and again, and brings the disk into order each time.
fn rage(storm: &mut Storm, site: &Site, disk: &Disk, tally: &Tally) -> Result<()> {
    let mut clients = storm.clients(tally, true);
    let mut round = 0;
    disk.mount()?;
    while storm.goes_on(round) {
        round += 1;
        cut(storm, site, disk, &mut clients, tally)?;
        disk.unmount()?;
        disk.mount()?;
        site.end_lease(tally)?;
        if round % CHECK_EVERY == 0 {
            site.check(tally)?;
        }
    }
    let mut server = site.start(&Weapon::Kill)?.context("no server")?;
    let life = Arc::new(Life { port: server.port, ..Life::default() });
    clients.iter_mut().try_for_each(|client| client.live(&life))?;
    ensure!(life.at_work.load(Ordering::Relaxed) == clients.len(), "somebody has not seen everything");
    server.kill()?;
    site.check(tally)?;
    disk.unmount()
}

/// Lets everybody work until the power is cut.
fn cut(storm: &mut Storm, site: &Site, disk: &Disk, clients: &mut [Client<'_>], tally: &Tally) -> Result<()> {
    let mut server = site.start(&Weapon::Kill)?.context("no server")?;
    let (enough, everybody) = (storm.random.usize(1..60), clients.len());
    let life = Arc::new(Life { port: server.port, most: enough + 100, ..Life::default() });
    let mounted = File::open(disk.outside())?;
    thread::scope(|scope| {
        // As the kernel does after a while: what was written reaches the disk in an order of its own.
        scope.spawn(|| {
            while life.goes_on() {
                let _failed_after_the_cut = rustix::fs::syncfs(&mounted);
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        live(&life, clients, tally, Some(storm.random.fork()), || {
            let is_everybody_at_work = life.at_work.load(Ordering::Relaxed) == everybody;
            let is_time = is_everybody_at_work && life.operations.load(Ordering::Relaxed) >= enough;
            if is_time {
                life.may_fail.store(true, Ordering::Relaxed);
                disk.cut()?;
                tally.count("power cuts");
            }
            Ok(is_time)
        })
    })?;
    server.kill()
}
