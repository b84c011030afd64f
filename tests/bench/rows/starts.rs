//! How soon a server answers after it was started, and how much memory it has when nobody asks.

use crate::content::base;
use crate::measurement::{Definition, Sample, Unit, float, process};
use crate::server::{ALL, Running, Server};
use crate::site::Site;
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// For how long nobody has asked a server that is idle.
const IDLE: Duration = Duration::from_millis(300);

/// Measures both with an empty storage.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    let reference = Server::Original.name();
    let start = Definition::new("start to first 200", Unit::Milliseconds, reference);
    let idle = Definition::new("idle memory", Unit::Memory, reference);
    if !site.wants(&start) && !site.wants(&idle) {
        return Ok(());
    }
    let data = site.empty()?;
    fs::write(data.path().join(base().file), "{}")?;
    for _ in 0..site.options.rounds {
        for server in site.wanted(&ALL) {
            let measured = once(site, server, data.path());
            let memory = measured.as_ref().ok().map(|(_, memory)| *memory);
            site.note(&start, server.name(), measured.map(|(time, _)| time))?;
            if let Some(memory) = memory {
                site.note(&idle, server.name(), Ok(memory))?;
            }
        }
    }
    Ok(())
}

/// The time of one start, and the memory after it.
fn once(site: &Site, server: Server, data: &Path) -> Result<(Sample, Sample)> {
    let start = Instant::now();
    let running = Running::start(server, &site.open(data))?;
    running.client()?.send("GET", &running.path(&base()), &[], &[])?.expect(200)?;
    let time = start.elapsed().as_secs_f64() * 1000.0;
    process::rest(&running.pids()?)?;
    thread::park_timeout(IDLE);
    let memory = float(process::resident(&running.pids()?)?) / 1_048_576.0;
    let sample = |value| Sample { value, ..Sample::default() };
    Ok((sample(time), sample(memory)))
}
