//! wrk, against which our own generator of load is held.

use anyhow::{Context, Result};
use berth_tests::command::succeed;
use berth_tests::programs::packaged;
use std::process::Command;
use std::time::Duration;

/// How many requests a second wrk has answered, on one thread as ours.
pub(crate) fn wrk(url: &str, connections: usize, time: Duration) -> Result<f64> {
    let mut command = Command::new(packaged("wrk")?);
    command.args(["--threads=1", &format!("--connections={connections}")]);
    command.arg(format!("--duration={}s", time.as_secs().max(1))).arg(url);
    let printed = succeed(&mut command)?;
    let rate = printed.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).with_context(|| format!("wrk printed no rate:\n{printed}"))
}
