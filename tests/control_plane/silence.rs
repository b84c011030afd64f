//! Silence: an operator that has nothing to change sends nothing but reads.

use std::{fmt::Debug, time::Duration};

use anyhow::{Result, ensure};
use berth_tests::cluster::wait;

use crate::fixture::PATIENCE;

/// How many rounds in a row have to be silent.
const ROUNDS: usize = 6;

/// Waits until whole rounds, each of which makes the operator look again, cause no write. First the controllers of the cluster
/// annotate and fill in for a moment, and each controller of the operator reports what it found, on a loaded machine seconds after
/// the others; whoever writes again and again is never silent.
pub(crate) fn wait_for_silence<W: Debug>(
    writes: impl Fn() -> Vec<W>,
    round: impl Fn() -> Result<()>,
) -> Result<()> {
    wait::until("silence", LIMIT, || {
        let before = writes().len();
        for _ in 0..ROUNDS {
            round()?;
        }
        let since = writes().split_off(before);
        ensure!(since.is_empty(), "while nothing changed, there were written {since:?}");
        Ok(())
    })
}

/// Some rounds take as long as a condition may.
const LIMIT: Duration = PATIENCE.saturating_mul(2);
