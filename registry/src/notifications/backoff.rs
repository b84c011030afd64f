//! How long to wait after a failure: briefly for a few times, then as configured, and longer the longer it lasts.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

/// The first wait, while failures are fewer than the threshold.
const SHORTEST: Duration = Duration::from_millis(50);

/// The longest wait, unless the configured one is longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    threshold: u32,
    pace: Duration,
    failures: u32,
}

impl Backoff {
    /// After `threshold` failures in a row, waits for `pace` and then longer.
    pub(super) fn new(threshold: u32, pace: Duration) -> Self {
        Self { threshold: threshold.max(1), pace, failures: 0 }
    }

    /// How many failures there were in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure, and says how long to wait: a little more or less each time, so that replicas and endpoints do
    /// not march in step.
    pub(super) fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let mut chance = [0];
        // Without randomness the wait is just not varied.
        let _ = SystemRandom::new().fill(&mut chance);
        vary(self.wait(), chance[0])
    }

    /// Counts from the start again.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    fn wait(&self) -> Duration {
        let double = |wait: Duration, times: u32| wait.saturating_mul(2_u32.saturating_pow(times));
        match self.failures.checked_sub(self.threshold) {
            None => double(SHORTEST, self.failures - 1).min(self.pace),
            Some(more) => double(self.pace, more).min(self.pace.max(LONGEST)),
        }
    }
}

/// Between three and five quarters of `wait`.
fn vary(wait: Duration, chance: u8) -> Duration {
    wait / 512 * (384 + u32::from(chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(threshold: u32, pace: Duration, count: u32) -> Vec<Duration> {
        let mut backoff = Backoff::new(threshold, pace);
        (0..count)
            .map(|_| {
                backoff.failed();
                backoff.wait()
            })
            .collect()
    }

    #[test]
    fn waits_are_short_before_the_threshold_and_grow_from_it_on_up_to_a_limit() {
        let millis = |waits: Vec<Duration>| waits.iter().map(Duration::as_millis).collect::<Vec<_>>();
        let second = Duration::from_secs(1);
        assert_eq!(millis(waits(3, second, 9)), [50, 100, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(millis(waits(0, second, 2)), [1000, 2000]);
        let minute = Duration::from_mins(1);
        assert_eq!(
            millis(waits(1, minute, 3)),
            [60_000; 3],
            "the configured pace may be slower than the limit"
        );
        assert_eq!(millis(waits(100, Duration::from_millis(70), 3)), [50, 70, 70]);
    }

    #[test]
    fn a_success_ends_the_count() {
        let mut backoff = Backoff::new(1, Duration::from_secs(1));
        backoff.failed();
        backoff.succeeded();
        assert_eq!(backoff.failures(), 0);
        backoff.failed();
        assert_eq!(backoff.wait(), Duration::from_secs(1));
    }

    #[test]
    fn waits_vary_by_a_quarter() {
        let second = Duration::from_secs(1);
        assert!(vary(second, 0) >= Duration::from_millis(749));
        assert!(vary(second, u8::MAX) <= Duration::from_millis(1250));
        assert!(vary(second, 0) < vary(second, u8::MAX));
    }
}
