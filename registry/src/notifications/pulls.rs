//! Pulls on their way into the queue of an endpoint: gathered in memory and written in the background, because a pull
//! must not wait for the disk. A crash loses those of the last second.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};

use super::{MAX_EVENTS, Stop, event::Event, layout::BatchKind, queue::Queue};

/// How long pulls are gathered.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many pulls wait for a disk that does not keep up; more are dropped.
const CAPACITY: usize = 10_000;

/// The pulls that are not in the queue yet.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    waiting: Mutex<VecDeque<Arc<Event>>>,
    arrived: Notify,
}

impl Pulls {
    /// Takes a pull; `false` when there are too many already.
    pub(super) fn add(&self, event: Arc<Event>) -> bool {
        let mut waiting = self.waiting();
        if waiting.len() >= CAPACITY {
            return false;
        }
        waiting.push_back(event);
        self.arrived.notify_one();
        true
    }

    /// Writes what arrives to the queue, until it shall stop and nothing is left.
    pub(super) async fn write_to(&self, queue: &Arc<Queue>, endpoint: &str, mut stop: Stop) {
        let (mut failing, mut ending) = (false, false);
        while !ending {
            tokio::select! {
                () = self.arrived.notified() => {}
                () = stop.asked() => {}
            }
            tokio::select! {
                () = sleep(INTERVAL) => {}
                () = stop.asked() => {}
            }
            ending = stop.is_asked();
            let written = self.write(queue).await;
            if let Err(error) = &written
                && !failing
            {
                let error: &dyn std::error::Error = error;
                tracing::error!(
                    endpoint,
                    error,
                    "notifications of pulls cannot be kept; they are tried again"
                );
            }
            failing = written.is_err();
        }
        let lost = self.waiting().len();
        if lost > 0 {
            tracing::error!(endpoint, lost, "notifications of pulls could not be kept and are lost");
        }
    }

    /// Moves all that waits into the queue. What cannot be written stays.
    async fn write(&self, queue: &Arc<Queue>) -> berth_storage::Result<()> {
        loop {
            let batch: Vec<_> = self.waiting().iter().take(MAX_EVENTS).cloned().collect();
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = queue.append(BatchKind::Pulls, &batch).await {
                self.arrived.notify_one();
                return Err(error);
            }
            self.waiting().drain(..batch.len());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<Event>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::metrics::Notifications as Metrics;
    use berth_storage::Memory;
    use tokio::sync::watch;

    #[tokio::test]
    async fn pulls_of_a_second_are_written_together() {
        let queue = Arc::new(Queue::new(Arc::new(Memory::new()), "mail", 1, Metrics::default()));
        let pulls = Arc::new(Pulls::default());
        let (ask, stop) = watch::channel(false);
        let writer = tokio::spawn({
            let (pulls, queue) = (Arc::clone(&pulls), Arc::clone(&queue));
            async move { pulls.write_to(&queue, "mail", Stop(stop)).await }
        });
        for id in ["1", "2", "3"] {
            assert!(pulls.add(testing::pull(id)));
        }
        queue.written().await;
        let batches = queue.batches().await.unwrap();
        assert_eq!(
            batches.iter().map(|batch| (batch.kind, batch.length)).collect::<Vec<_>>(),
            [(BatchKind::Pulls, 3)]
        );

        pulls.add(testing::pull("4"));
        ask.send(true).unwrap();
        writer.await.unwrap();
        assert_eq!(queue.batches().await.unwrap().len(), 2, "the last pulls are written before the end");
    }

    #[test]
    fn memory_is_bounded() {
        let pulls = Pulls::default();
        let event = testing::pull("1");
        assert!((0..CAPACITY).all(|_| pulls.add(Arc::clone(&event))));
        assert!(!pulls.add(event));
    }
}
