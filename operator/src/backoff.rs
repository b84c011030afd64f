//! How long to wait before a failed reconciliation is tried again: twice as long after each failure of the same
//! Registry, with jitter, and never longer than five minutes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// The failures in a row of each Registry.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<RegistryKey, u32>>,
}

/// A Registry by namespace and name.
pub type RegistryKey = (String, String);

impl Backoff {
    /// Counts a failure, and says how long to wait now.
    pub fn failed(&self, registry: RegistryKey) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(registry).or_default();
        *count = count.saturating_add(1);
        jittered(delay_after(*count))
    }

    /// Forgets the failures of a Registry: it succeeded, or it is gone.
    pub fn forget(&self, registry: &RegistryKey) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(registry);
    }
}

fn delay_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Between three quarters and the whole of `delay`, by chance.
pub(crate) fn jittered(delay: Duration) -> Duration {
    with_jitter(delay, random_share())
}

/// Between three quarters and the whole of `delay`, so that what failed together is not tried again together.
fn with_jitter(delay: Duration, share: f64) -> Duration {
    delay.mul_f64(0.75 + share / 4.0)
}

/// A number between 0 and 1.
fn random_share() -> f64 {
    // Without random numbers there is merely no jitter.
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_delay_up_to_five_minutes() {
        let delays: Vec<u64> = (1..=11).map(|failures| delay_after(failures).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(delay_after(u32::MAX), LONGEST);
    }

    #[test]
    fn jitter_never_makes_the_delay_longer() {
        assert_eq!(with_jitter(Duration::from_secs(4), 0.0), Duration::from_secs(3));
        assert_eq!(with_jitter(Duration::from_secs(4), 1.0), Duration::from_secs(4));
    }

    #[test]
    fn a_success_starts_over() {
        let backoff = Backoff::default();
        let hub = ("default".to_owned(), "hub".to_owned());
        for _ in 0..8 {
            backoff.failed(hub.clone());
        }
        backoff.forget(&hub);
        assert!(backoff.failed(hub) <= FIRST);
    }
}
