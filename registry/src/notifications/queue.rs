//! The queue of an endpoint: batches of events in the storage, which outlive the process.
//!
//! Every replica may write. A batch is ordered after all that the same replica has acknowledged before; batches that
//! are written at the same time may come in either order.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use berth_storage::{Error, Key, ObjectStore, PutCondition, Result};
use futures::{StreamExt, TryStreamExt, stream};
use hyper::StatusCode;
use tokio::sync::Notify;

use super::{
    backlog,
    event::Event,
    layout::{self, BatchKind, BatchName},
};
use crate::metrics::Notifications as Metrics;

/// The events that wait for an endpoint.
#[derive(Debug)]
pub(super) struct Queue {
    store: Arc<dyn ObjectStore>,
    endpoint: String,
    folder: Key,
    /// This process in the names of batches.
    writer: u32,
    metrics: Metrics,
    last_stamp: AtomicU64,
    /// How many events wait, as far as this process knows.
    pending: AtomicU64,
    written: Notify,
    trimming: AtomicBool,
    /// Whether the log was told that events are dropped.
    overflowing: AtomicBool,
}

impl Queue {
    /// The queue of `endpoint`, to which this process writes as `writer`, counted in `metrics`.
    pub(super) fn new(store: Arc<dyn ObjectStore>, endpoint: &str, writer: u32, metrics: Metrics) -> Self {
        Self {
            store,
            endpoint: endpoint.to_owned(),
            folder: layout::queue(endpoint),
            writer,
            metrics,
            last_stamp: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            written: Notify::new(),
            trimming: AtomicBool::new(false),
            overflowing: AtomicBool::new(false),
        }
    }

    /// Keeps the events as one batch, and wakes the deliverer.
    pub(super) async fn append(self: &Arc<Self>, kind: BatchKind, events: &[Arc<Event>]) -> Result<()> {
        let Ok(length @ 1..) = u32::try_from(events.len()) else { return Ok(()) };
        let name = BatchName { stamp: self.next_stamp(), writer: self.writer, kind, length };
        let key = self.folder.join(&name);
        let events: Vec<&Event> = events.iter().map(AsRef::as_ref).collect();
        let body = serde_json::to_vec(&events)
            .map_err(|error| Error::Other { key: key.clone(), source: error.into() })?;
        self.store.put(&key, body.into(), PutCondition::IfAbsent).await?;
        self.metrics.queued(&self.endpoint, length.into());
        let pending = self.update_pending(|pending| pending.saturating_add(length.into()));
        self.written.notify_one();
        if pending > backlog::LIMIT {
            tokio::spawn(Arc::clone(self).trim());
        }
        Ok(())
    }

    /// Later than all that this process has written or seen, also when the clock was set back.
    fn next_stamp(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        update(&self.last_stamp, |last| now.max(last.saturating_add(1)))
    }

    /// Waits until this process has written a batch since the last call.
    pub(super) async fn written(&self) {
        self.written.notified().await;
    }

    /// Counts what became of an attempt to deliver the first events: the endpoint's answer, or none.
    pub(super) fn count_attempt(&self, answer: Option<StatusCode>, accepted: bool, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        match answer {
            Some(status) => self.metrics.answered(&self.endpoint, status, accepted, events),
            None => self.metrics.unreachable(&self.endpoint, events),
        }
    }

    /// How many events wait, as far as this process knows.
    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    fn update_pending(&self, change: impl Fn(u64) -> u64) -> u64 {
        let pending = update(&self.pending, change);
        self.metrics.pending(&self.endpoint, pending);
        pending
    }

    /// What waits, the oldest first.
    pub(super) async fn batches(&self) -> Result<Vec<BatchName>> {
        let names = self.store.children(&self.folder, None);
        // What has another name is nothing of ours, and left alone.
        let batches = names.try_filter_map(|name| async move { Ok(name.parse::<BatchName>().ok()) });
        let batches: Vec<_> = batches.try_collect().await?;
        if let Some(last) = batches.last() {
            self.last_stamp.fetch_max(last.stamp, Ordering::Relaxed);
        }
        let waiting = backlog::events(&batches);
        self.update_pending(|_| waiting);
        Ok(batches)
    }

    /// The events of a batch; none when it is gone. A batch that cannot be read as events is reported and removed.
    pub(super) async fn read(&self, batch: &BatchName) -> Result<Vec<Event>> {
        let key = self.folder.join(batch);
        let object = match self.store.get(&key, None).await {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            object => object?,
        };
        let unreadable = |source: io::Error| Error::Unavailable { key: key.clone(), source };
        let chunks: Vec<_> = object.body.try_collect().await.map_err(unreadable)?;
        match serde_json::from_slice(&chunks.concat()) {
            Ok(events) => Ok(events),
            Err(error) => {
                tracing::error!(%key, %error, "notifications are damaged in the storage and are lost");
                self.remove(batch).await?;
                Ok(Vec::new())
            }
        }
    }

    /// Removes a batch.
    pub(super) async fn remove(&self, batch: &BatchName) -> Result<()> {
        self.store.delete(&self.folder.join(batch)).await?;
        self.update_pending(|pending| pending.saturating_sub(batch.length.into()));
        Ok(())
    }

    /// Removes what is too much, one task at a time.
    async fn trim(self: Arc<Self>) {
        if self.trimming.swap(true, Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.remove_excess().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(endpoint = self.endpoint, error, "the backlog of notifications could not be cut");
        }
        self.trimming.store(false, Ordering::Release);
    }

    async fn remove_excess(&self) -> Result<()> {
        let excess = backlog::excess(self.batches().await?);
        if !excess.is_empty() && !self.overflowing.swap(true, Ordering::Relaxed) {
            tracing::error!(
                endpoint = self.endpoint,
                limit = backlog::LIMIT,
                "too many notifications wait for an endpoint: the oldest are dropped, pulls before all others"
            );
        }
        stream::iter(&excess).map(Ok).try_for_each(|batch| self.remove(batch)).await
    }

    /// The endpoint has taken all: if it falls behind once more, the log is told once more.
    pub(super) fn caught_up(&self) {
        self.overflowing.store(false, Ordering::Relaxed);
    }
}

/// Changes a number, and returns it as it is then.
fn update(number: &AtomicU64, change: impl Fn(u64) -> u64) -> u64 {
    let before = number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| Some(change(number)));
    // The closure never refuses, so that both cases are the number before.
    change(before.unwrap_or_else(|number| number))
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use berth_storage::Memory;

    fn queue(store: &Arc<Memory>, writer: u32) -> Arc<Queue> {
        Arc::new(Queue::new(Arc::clone(store) as _, "mail", writer, Metrics::default()))
    }

    async fn ids(queue: &Queue) -> Vec<String> {
        let mut ids = Vec::new();
        for batch in queue.batches().await.unwrap() {
            ids.extend(queue.read(&batch).await.unwrap().into_iter().map(|event| event.id));
        }
        ids
    }

    #[tokio::test]
    async fn events_are_found_by_the_next_process_in_the_order_in_which_they_were_written() {
        let store = Arc::new(Memory::new());
        let first = queue(&store, 1);
        for id in ["c", "a", "b"] {
            first.append(BatchKind::Changes, &[testing::push(id)]).await.unwrap();
        }
        let second = queue(&store, 2);
        assert_eq!(ids(&second).await, ["c", "a", "b"]);
        assert_eq!(second.pending(), 3);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_does_not_change_the_order() {
        let store = Arc::new(Memory::new());
        let queue = queue(&store, 1);
        queue.last_stamp.store(10_u64.pow(16) * 9, Ordering::Relaxed);
        queue.append(BatchKind::Changes, &[testing::push("first")]).await.unwrap();
        queue.append(BatchKind::Changes, &[testing::push("second")]).await.unwrap();
        assert_eq!(ids(&queue).await, ["first", "second"]);
    }

    #[tokio::test]
    async fn damaged_batches_are_removed() {
        let store = Arc::new(Memory::new());
        let queue = queue(&store, 1);
        let batch = BatchName { stamp: 1, writer: 1, kind: BatchKind::Pulls, length: 1 };
        store.put(&queue.folder.join(&batch), "nonsense".into(), PutCondition::Always).await.unwrap();
        assert_eq!(ids(&queue).await, [""; 0]);
        assert_eq!(queue.batches().await.unwrap(), []);
    }

    #[tokio::test]
    async fn an_endpoint_that_takes_nothing_does_not_fill_the_disk() {
        let store = Arc::new(Memory::new());
        let queue = queue(&store, 1);
        let limit = u32::try_from(backlog::LIMIT).unwrap();
        for (stamp, kind) in [(1, BatchKind::Changes), (2, BatchKind::Pulls)] {
            let batch = BatchName { stamp, writer: 2, kind, length: limit / 2 };
            store.put(&queue.folder.join(&batch), "[]".into(), PutCondition::Always).await.unwrap();
        }
        queue.batches().await.unwrap();
        queue.append(BatchKind::Changes, &[testing::push("last straw")]).await.unwrap();
        while queue.trimming.load(Ordering::Relaxed) || queue.pending() > backlog::LIMIT {
            tokio::task::yield_now().await;
        }
        let kinds: Vec<_> = queue.batches().await.unwrap().iter().map(|batch| batch.kind).collect();
        assert_eq!(kinds, [BatchKind::Changes; 2]);
    }
}
