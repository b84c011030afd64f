//! Tests that make random choices for a while.

use anyhow::{Context, Result};
use fastrand::Rng;
use std::env;
use std::fmt;
use std::time::Duration;

/// For how long a test goes on, and the seed by which it makes the choices of an earlier run again.
#[derive(Debug, Clone)]
pub struct Trial {
    name: &'static str,
    seed: u64,
    /// How long it goes on.
    pub duration: Duration,
}

impl Trial {
    /// As the variables `NAME_SEED` and `NAME_SECONDS` have it, or else with any seed and for that many seconds.
    pub fn new(name: &'static str, seconds: u64) -> Result<Self> {
        let seed = number(&format!("{name}_SEED"))?.unwrap_or_else(|| fastrand::u64(..));
        let seconds = number(&format!("{name}_SECONDS"))?.unwrap_or(seconds);
        Ok(Self { name, seed, duration: Duration::from_secs(seconds) })
    }

    /// The choices of one who takes part.
    pub fn choices(&self, number: u64) -> Rng {
        Rng::with_seed(self.seed.wrapping_mul(1000).wrapping_add(number))
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seed, duration } = self;
        write!(f, "{name}_SEED={seed} {name}_SECONDS={}", duration.as_secs())
    }
}

fn number(variable: &str) -> Result<Option<u64>> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty());
    let number = text.map(|text| text.parse().with_context(|| format!("{variable}={text} is no number")));
    number.transpose()
}
