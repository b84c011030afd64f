//! What processes cost, as the kernel tells in `/proc`.

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server that has been left may still be busy.
const LONGEST_REST: Duration = Duration::from_secs(3);

/// What some processes have cost so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// The time on a processor, for the program and in the kernel.
    pub(crate) cpu: Duration,
    /// The most memory that was resident, in bytes.
    pub(crate) peak: u64,
}

impl Cost {
    /// What they have cost by now.
    pub(crate) fn of(pids: &[u32]) -> Result<Self> {
        let mut cost = Self::default();
        for pid in pids {
            cost.cpu += cpu(*pid)?;
            cost.peak += memory(*pid, "VmHWM:")?;
        }
        Ok(cost)
    }
}

/// A process and those that it has started.
pub(crate) fn family(pid: u32) -> Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_ascii_whitespace().map(str::parse);
    Ok(std::iter::once(Ok(pid)).chain(children).collect::<Result<_, _>>()?)
}

/// From now on the peak is that of what comes.
pub(crate) fn forget_peak(pids: &[u32]) -> Result<()> {
    for pid in pids {
        fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the peak cannot be forgotten")?;
    }
    Ok(())
}

/// The memory that is resident now, in bytes.
pub(crate) fn resident(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|pid| memory(*pid, "VmRSS:")).sum()
}

/// Waits until the processes do nothing any more, so that they do not take their time from the next server.
pub(crate) fn rest(pids: &[u32]) -> Result<()> {
    let start = Instant::now();
    let mut before = Cost::of(pids)?.cpu;
    while start.elapsed() < LONGEST_REST {
        thread::park_timeout(Duration::from_millis(15));
        let now = Cost::of(pids)?.cpu;
        if now == before {
            break;
        }
        before = now;
    }
    Ok(())
}

/// The time that a process has had, also one that has ended and is still remembered.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
    // The name of the program comes before, in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("a line without a name")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
}

/// A line of the status, in bytes; nothing for a process that has ended.
pub(crate) fn memory(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0 kB");
    let kibibytes: u64 = value.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_this_process_is_known() {
        let pids = family(std::process::id()).unwrap();
        assert!(Cost::of(&pids[..1]).unwrap().peak >= resident(&pids[..1]).unwrap() / 2);
    }
}
