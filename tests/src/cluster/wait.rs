//! Waiting for a condition: asked again and again until it holds, with a limit, and a reason when it never does.

use anyhow::{Context, Result};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(200);

/// Repeats `attempt` until it succeeds; the error after `limit` is that of the last attempt.
pub fn until<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if started.elapsed() > limit => {
                return Err(error).with_context(|| format!("waited {} s for: {what}", limit.as_secs()));
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}
