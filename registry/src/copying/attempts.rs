//! Repeats what failed for reasons that pass, after pauses that grow.

use std::time::Duration;

use tokio::time::sleep;

use super::{Error, Result};
use crate::upstream;

/// How long is waited after each failure. What fails once more after that stays failed.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
    Duration::from_secs(20),
];

/// However long a registry wants to be left alone, longer is not waited for it.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What comes of `step`, which is repeated while another attempt may succeed.
pub(super) async fn persistently<T>(mut step: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    for pause in PAUSES {
        match step().await {
            Err(error) if error.is_temporary() => sleep(pause_after(&error, pause)).await,
            result => return result,
        }
    }
    step().await
}

/// How long to wait after the failure with this number; `None` when there were too many.
pub(super) fn pause(number: usize) -> Option<Duration> {
    PAUSES.get(number).copied()
}

fn pause_after(error: &Error, usual: Duration) -> Duration {
    match error {
        Error::Registry(upstream::Error::RateLimited { retry_after: Some(wait), .. }) => {
            usual.max(*wait).min(LONGEST_PAUSE)
        }
        _ => usual,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hyper::http::uri::Authority;
    use tokio::time::Instant;

    use super::*;

    fn limited(seconds: u64) -> Error {
        let server = Authority::from_static("hub.example.com");
        Error::Registry(upstream::Error::RateLimited {
            server,
            retry_after: Some(Duration::from_secs(seconds)),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_told_how_long_to_wait_waits_so_long() {
        let (begin, attempts) = (Instant::now(), Cell::new(0));
        let done = persistently(async || {
            attempts.set(attempts.get() + 1);
            if attempts.get() == 1 { Err(limited(60)) } else { Ok(()) }
        })
        .await;
        assert!(done.is_ok() && attempts.get() == 2 && begin.elapsed() >= Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_succeeds_ends() {
        let attempts = Cell::new(0);
        let failed: Result<()> = persistently(async || {
            attempts.set(attempts.get() + 1);
            Err(limited(0))
        })
        .await;
        assert!(failed.is_err() && attempts.get() == PAUSES.len() + 1);
        let once: Result<()> = persistently(async || Err(Error::Missing("it".to_owned()))).await;
        assert!(once.is_err());
    }
}
