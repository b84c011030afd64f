//! How often a request is sent again, and after which time: the same for what `object_store` sends and for what is sent
//! here.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use object_store::{BackoffConfig, RetryConfig};
use tokio::time::{Instant, sleep};

use super::settings::Requests;

/// How long to wait before a request is sent for the second time; about twice as long before each further time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a request is sent again at most: a client waits for its answer meanwhile.
const LIMIT: Duration = Duration::from_mins(1);

/// The attempts at one request.
#[derive(Debug)]
pub(super) struct Attempts {
    left: usize,
    pause: Duration,
    started: Instant,
    limit: Duration,
}

impl Attempts {
    /// The first one begins now.
    pub(super) fn new(requests: &Requests) -> Self {
        Self { left: requests.retries, pause: FIRST_PAUSE, started: Instant::now(), limit: limit(requests) }
    }

    /// Waits for the next attempt; `false` when there is none.
    pub(super) async fn again(&mut self) -> bool {
        if self.left == 0 || self.started.elapsed() > self.limit {
            return false;
        }
        sleep(jittered(self.pause)).await;
        self.left -= 1;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

/// The same for `object_store`.
pub(super) fn policy(requests: &Requests) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 };
    RetryConfig { backoff, max_retries: requests.retries, retry_timeout: limit(requests) }
}

/// A server that is silent once is asked once more, however long it is waited for.
fn limit(requests: &Requests) -> Duration {
    LIMIT.max(requests.time_limit * 2)
}

/// Between half of the pause and the whole, so that those who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(pause) % 512;
    pause / 2 + pause * u32::try_from(random).unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_cut_by_half_at_most() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(2));
            assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn who_waits_long_for_an_answer_may_ask_again_all_the_same() {
        let patient = Requests { time_limit: Duration::from_mins(5), ..Requests::default() };
        assert!(policy(&patient).retry_timeout > patient.time_limit);
    }
}
