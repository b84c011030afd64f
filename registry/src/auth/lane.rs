//! Where bcrypt runs: on a bounded number of threads, for a bounded number of requests that wait.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::spawn_blocking};

/// So many may wait in a lane: with a quarter of a second for each, that is half a minute.
const SEATS: usize = 128;

/// A queue for a few threads.
#[derive(Debug)]
pub(super) struct Lane {
    seats: Semaphore,
    threads: Semaphore,
}

/// The lane is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Lane {
    /// A lane of so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self { seats: Semaphore::new(SEATS), threads: Semaphore::new(threads) }
    }

    /// Whether the password is the one behind the hash.
    pub(super) async fn compare(&self, password: &str, hash: &Arc<str>) -> Result<bool, Full> {
        let _seat = self.seats.try_acquire().map_err(|_| Full)?;
        let _thread = self.threads.acquire().await.map_err(|_| Full)?;
        let (password, hash) = (password.to_owned(), Arc::clone(hash));
        let comparison = spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false));
        Ok(comparison.await.unwrap_or(false))
    }

    /// Sends everybody away from now on.
    #[cfg(test)]
    pub(super) fn close(&self) {
        self.seats.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_finds_no_seat_is_sent_away_at_once() {
        let lane = Lane::new(1);
        let hash: Arc<str> = bcrypt::hash("secret", 4).unwrap().into();
        let _all: Vec<_> = (0..SEATS).map(|_| lane.seats.try_acquire().unwrap()).collect();
        assert_eq!(lane.compare("secret", &hash).await, Err(Full));
    }

    #[tokio::test]
    async fn a_seat_is_free_again_after_the_comparison() {
        let lane = Lane::new(1);
        let hash: Arc<str> = bcrypt::hash("secret", 4).unwrap().into();
        assert_eq!(lane.compare("secret", &hash).await, Ok(true));
        assert_eq!(lane.compare("wrong", &hash).await, Ok(false));
        assert_eq!(lane.seats.available_permits(), SEATS);
    }
}
