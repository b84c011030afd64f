//! The outbox of an endpoint: what it is to be told of, from the moment when it happens until it is delivered.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use berth_storage::Result;

use super::{
    Stop,
    event::{Action, Event},
    filter::Filter,
    layout::BatchKind,
    pulls::Pulls,
    queue::Queue,
};

/// What waits for an endpoint.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) endpoint: String,
    pub(super) queue: Arc<Queue>,
    filter: Filter,
    pulls: Pulls,
    /// Whether the log was told that pulls are dropped.
    overflowing: AtomicBool,
}

impl Outbox {
    /// The outbox of the endpoint of that name, whose events wait in `queue`.
    pub(super) fn new(endpoint: String, queue: Queue, filter: Filter) -> Self {
        Self {
            endpoint,
            queue: Arc::new(queue),
            filter,
            pulls: Pulls::default(),
            overflowing: AtomicBool::new(false),
        }
    }

    /// Takes in what the endpoint wants to know of these events of one request. What is no pull is in the storage
    /// when this returns.
    pub(super) async fn take(&self, events: &[Arc<Event>]) -> Result<()> {
        let wanted = events.iter().filter(|event| self.filter.lets_pass(event)).cloned();
        let (pulls, changes): (Vec<_>, Vec<_>) = wanted.partition(|event| event.action == Action::Pull);
        for pull in pulls {
            self.take_pull(pull);
        }
        self.queue.append(BatchKind::Changes, &changes).await
    }

    fn take_pull(&self, pull: Arc<Event>) {
        let fits = self.pulls.add(pull);
        if !fits && !self.overflowing.swap(true, Ordering::Relaxed) {
            tracing::error!(
                endpoint = self.endpoint,
                "the storage does not keep up with notifications of pulls: some are dropped"
            );
        }
        if fits {
            self.overflowing.store(false, Ordering::Relaxed);
        }
    }

    /// Moves pulls from memory to the storage until it shall stop.
    pub(super) async fn write_pulls(self: Arc<Self>, stop: Stop) {
        self.pulls.write_to(&self.queue, &self.endpoint, stop).await;
    }
}
