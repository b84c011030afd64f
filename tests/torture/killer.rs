//! Whoever kills servers, as a power cut would, and starts them again.

use crate::Torture;
use anyhow::Result;
use berth_tests::fleet::SERVERS;
use fastrand::Rng;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// A server is killed after so many more requests.
const REQUESTS_A_LIFE: Range<usize> = 300..2000;

/// How seldom it is the one that collects: for a minute afterwards nobody may collect, and nothing is put to the test.
const SELDOM: usize = 40;

/// Kills until it is over, and in the end the one that collects, in the middle of its work.
pub(crate) fn kill_until(torture: &Torture, is_over: impl Fn() -> bool, mut random: Rng) -> Result<()> {
    let collecting = || torture.collecting.load(Ordering::Relaxed);
    torture.fleet.kill_until(is_over, REQUESTS_A_LIFE, &mut random, |random| {
        let is_spared = random.usize(..SELDOM) > 0;
        (collecting() + if is_spared { random.usize(1..SERVERS) } else { 0 }) % SERVERS
    })?;
    torture.fleet.kill(collecting())?;
    torture.fleet.resume_all()
}
