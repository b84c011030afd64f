//! Whoever kills servers, as a power cut would, and starts them again.

use crate::Torture;
use crate::collector;
use anyhow::Result;
use berth_tests::fleet::{Client, SERVERS};
use fastrand::Rng;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

/// A server is killed after so many more requests.
const REQUESTS_A_LIFE: Range<usize> = 100..1500;

/// How seldom it is the one that collects: for a minute afterwards nobody may collect, and nothing is put to the test.
const SELDOM: usize = 40;

/// How long it is waited until that one deletes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Kills until it is over, and in the end the one that collects.
pub(crate) fn kill_until(torture: &Torture, is_over: impl Fn() -> bool, mut random: Rng) -> Result<()> {
    let mut client = torture.fleet.client();
    torture.fleet.kill_until(is_over, REQUESTS_A_LIFE, &mut random, |random| {
        if random.usize(..SELDOM) == 0 {
            return collector(torture, &mut client);
        }
        Ok((torture.collecting() + random.usize(1..SERVERS)) % SERVERS)
    })?;
    torture.fleet.kill(collector(torture, &mut client)?)?;
    torture.fleet.resume_all()
}

/// The server that collects, as soon as it deletes, if it comes to that.
fn collector(torture: &Torture, client: &mut Client) -> Result<usize> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let server = torture.collecting();
        if collector::is_deleting(client, server)? {
            torture.tally.killed_while_deleting.add(1);
            return Ok(server);
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    Ok(torture.collecting())
}
