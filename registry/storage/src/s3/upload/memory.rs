//! The memory that all uploads of a process share.
//!
//! S3 takes parts of five megabytes and more, so that each upload needs that much. There is room for some parts at a
//! time; the other uploads wait for their turn and read nothing from their clients meanwhile. Who fills its part slowly
//! gives its share back and goes on all the same: slow clients must not keep the others waiting.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// How much memory there is for parts, in units.
const UNITS: u32 = 40;

/// A unit in bytes.
const UNIT: u64 = 1024 * 1024;

/// What an upload may have without asking, in bytes.
const SMALL: u64 = UNIT / 2;

/// How long a client may take to fill a part.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether so many bytes need room.
pub(super) fn is_large(bytes: u64) -> bool {
    bytes > SMALL
}

/// What there is for all uploads.
#[derive(Debug)]
pub(super) struct Memory(Arc<Semaphore>);

/// A share of it, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    share: Option<OwnedSemaphorePermit>,
    until: Instant,
}

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(UNITS as usize)))
    }
}

impl Memory {
    /// Waits until there is room for so many bytes; whoever asks first gets it first. `None` for a few, which need none.
    pub(super) async fn room(&self, bytes: u64) -> Option<Room> {
        if !is_large(bytes) {
            return None;
        }
        // What is larger than all there is has it alone.
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(UNITS).min(UNITS);
        let share = Arc::clone(&self.0).acquire_many_owned(units).await.ok();
        Some(Room { share, until: Instant::now() + PATIENCE })
    }
}

impl Room {
    /// What comes of `work`, which a client may delay. If it takes too long, others get the share.
    pub(super) async fn while_waiting_for<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if self.share.is_some()
            && let Ok(done) = timeout_at(self.until, work.as_mut()).await
        {
            return done;
        }
        self.share = None;
        work.await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn there_is_room_for_some_parts_and_then_for_the_next_when_one_has_gone() {
        let memory = Memory::default();
        let mut parts = Vec::new();
        for _ in 0..8 {
            parts.push(memory.room(5 * UNIT).await);
        }
        assert!(memory.room(5 * UNIT).now_or_never().is_none());
        assert!(memory.room(SMALL).await.is_none());
        parts.pop();
        assert!(memory.room(5 * UNIT).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_part_that_is_larger_than_the_memory_has_it_alone() {
        let memory = Memory::default();
        let huge = memory.room(1000 * UNIT).await;
        assert!(memory.room(UNIT).now_or_never().is_none());
        drop(huge);
        assert!(memory.room(UNIT).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_gives_its_share_back() {
        let memory = Memory::default();
        let mut slow = memory.room(1000 * UNIT).await.unwrap();
        assert_eq!(slow.while_waiting_for(ready(1)).await, 1);
        let waiting = memory.room(UNIT);
        tokio::select! {
            () = slow.while_waiting_for(pending()) => unreachable!(),
            room = waiting => assert!(room.is_some()),
        }
    }
}
