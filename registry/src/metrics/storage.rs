//! How long the storage takes: a store that measures the one below it.
//!
//! Only waiting for the storage counts. The time in which a client reads slowly, or sends slowly, is its own and is
//! left out, also where bytes stream.

use std::{
    future::Future,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use berth_storage::{
    Body, ByteStream, Key, Names, Object, ObjectMeta, ObjectStore, Permission, PresignedUrl, PutCondition,
    Result, Space, Wanted, Witness,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use super::Metrics;

/// Upper bounds of the times that actions take, in seconds.
const DURATIONS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    driver: &'static str,
    action: &'static str,
}

/// The times of all actions.
#[derive(Clone, Debug)]
pub(super) struct Actions(Family<Labels, Histogram>);

impl Default for Actions {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(DURATIONS)))
    }
}

impl Actions {
    pub(super) fn register(&self, registry: &mut Registry) {
        let storage = registry.sub_registry_with_prefix("registry_storage");
        let help = "The number of seconds that the storage action takes";
        storage.register_with_unit("action", help, Unit::Seconds, self.0.clone());
    }
}

/// A store whose actions are measured. Their names are those of Distribution where it has the same.
#[derive(Debug)]
pub struct Measured {
    store: Arc<dyn ObjectStore>,
    driver: &'static str,
    actions: Actions,
}

impl Measured {
    /// Measures `store`, whose kind is called `driver`.
    pub fn new(store: Arc<dyn ObjectStore>, driver: &'static str, metrics: &Metrics) -> Self {
        Self { store, driver, actions: metrics.storage.clone() }
    }

    fn timer(&self, action: &'static str) -> Histogram {
        self.actions.0.get_or_create_owned(&Labels { driver: self.driver, action })
    }

    fn observe(&self, action: &'static str, time: Duration) {
        let labels = Labels { driver: self.driver, action };
        self.actions.0.get_or_create(&labels).observe(time.as_secs_f64());
    }

    async fn timed<T>(&self, action: &'static str, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        self.observe(action, start.elapsed());
        done
    }
}

impl Measured {
    /// What the store does not tell is asked in other ways, which are measured.
    async fn timed_if_told<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<Option<T>>>,
    ) -> Result<Option<T>> {
        let start = Instant::now();
        let told = work.await;
        if !matches!(told, Ok(None)) {
            self.observe(action, start.elapsed());
        }
        told
    }
}

#[async_trait]
impl ObjectStore for Measured {
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.timed("Stat", self.store.head(key)).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        let start = Instant::now();
        let object = self.store.get(key, range).await;
        let (waited, timer) = (Waited::starting_at(start.elapsed()), self.timer("GetContent"));
        match object {
            Ok(Object { meta, body: Body::Stream(stream) }) => {
                let body = Observed::new(stream, waited, Some(timer)).boxed().into();
                Ok(Object { meta, body })
            }
            // What is sent from a file waits for the client, and hardly ever for the storage.
            opened => {
                timer.observe(waited.total().as_secs_f64());
                opened
            }
        }
    }

    async fn read(&self, key: &Key) -> Result<(ObjectMeta, Bytes)> {
        self.timed("GetContent", self.store.read(key)).await
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        self.timed("PutContent", self.store.put(key, body, condition)).await
    }

    async fn put_all(&self, objects: Vec<(Key, Bytes)>) -> Result<()> {
        self.timed("PutContent", self.store.put_all(objects)).await
    }

    async fn note(&self, key: &Key, body: Bytes) -> Result<()> {
        self.timed("PutContent", self.store.note(key, body)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.timed("Delete", self.store.delete(key)).await
    }

    async fn delete_each(&self, keys: Vec<Key>, is_permitted: Permission) -> Result<usize> {
        self.timed("Delete", self.store.delete_each(keys, is_permitted)).await
    }

    fn deletes_at_once(&self) -> usize {
        self.store.deletes_at_once()
    }

    async fn delete_all(&self, prefix: &Key) -> Result<()> {
        self.timed("Delete", self.store.delete_all(prefix)).await
    }

    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let listed = self.store.list(prefix, start_after);
        Observed::new(listed, Waited::default(), Some(self.timer("Walk"))).boxed()
    }

    fn list_named(
        &self,
        prefix: &Key,
        depth: usize,
        name: &'static str,
    ) -> BoxStream<'_, Result<ObjectMeta>> {
        let listed = self.store.list_named(prefix, depth, name);
        Observed::new(listed, Waited::default(), Some(self.timer("Walk"))).boxed()
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        let listed = self.store.children(prefix, start_after);
        Observed::new(listed, Waited::default(), Some(self.timer("List"))).boxed()
    }

    async fn names(&self, prefix: &Key, wanted: Wanted<'_>) -> Result<Option<Names>> {
        self.timed_if_told("List", self.store.names(prefix, wanted)).await
    }

    async fn names_of_each(
        &self,
        prefix: &Key,
        folders: &Names,
        at_most: usize,
    ) -> Result<Option<Vec<Names>>> {
        self.timed_if_told("List", self.store.names_of_each(prefix, folders, at_most)).await
    }

    async fn append(
        &self,
        upload: &Key,
        offset: u64,
        body: ByteStream,
        destination: Option<&Key>,
    ) -> Result<u64> {
        let (start, client) = (Instant::now(), Waited::default());
        let body = Observed::new(body, client.clone(), None).boxed();
        let size = self.store.append(upload, offset, body, destination).await;
        let own = start.elapsed().saturating_sub(client.total());
        self.timer("Append").observe(own.as_secs_f64());
        size
    }

    async fn flush_upload(&self, upload: &Key) -> Result<()> {
        self.timed("Append", self.store.flush_upload(upload)).await
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        self.timed("Stat", self.store.upload_size(upload)).await
    }

    async fn read_upload(&self, upload: &Key, range: Range<u64>) -> Result<ByteStream> {
        self.timed("GetContent", self.store.read_upload(upload, range)).await
    }

    fn reads_growing_uploads(&self) -> bool {
        self.store.reads_growing_uploads()
    }

    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()> {
        self.timed("Move", self.store.complete(upload, size, object)).await
    }

    async fn publish(&self, upload: &Key, size: u64, object: &Key, links: Vec<(Key, Bytes)>) -> Result<()> {
        self.timed("Move", self.store.publish(upload, size, object, links)).await
    }

    async fn abort(&self, upload: &Key) -> Result<()> {
        self.timed("Delete", self.store.abort(upload)).await
    }

    async fn remove_leftovers(&self, prefix: &Key, before: SystemTime) -> Result<u64> {
        self.store.remove_leftovers(prefix, before).await
    }

    fn patience(&self) -> Duration {
        self.store.patience()
    }

    fn has_witnesses(&self) -> bool {
        self.store.has_witnesses()
    }

    fn witness(&self, object: &ObjectMeta) -> Option<Box<dyn Witness>> {
        self.store.witness(object)
    }

    async fn presigned_url(&self, key: &Key, lifetime: Duration) -> Result<Option<PresignedUrl>> {
        self.timed("RedirectURL", self.store.presigned_url(key, lifetime)).await
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.store.space().await
    }
}

/// How long something was waited for, in sum.
#[derive(Clone, Debug, Default)]
struct Waited(Arc<AtomicU64>);

impl Waited {
    fn starting_at(begun: Duration) -> Self {
        let waited = Self::default();
        waited.add(begun);
        waited
    }

    fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// A stream that adds up how long its items were waited for, and observes the sum when it is dropped.
struct Observed<S> {
    stream: S,
    waited: Waited,
    /// When the item was asked for that has not come yet.
    since: Option<Instant>,
    timer: Option<Histogram>,
}

impl<S> Observed<S> {
    fn new(stream: S, waited: Waited, timer: Option<Histogram>) -> Self {
        Self { stream, waited, since: None, timer }
    }
}

impl<S: Stream + Unpin> Stream for Observed<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let item = self.stream.poll_next_unpin(context);
        if item.is_ready() {
            self.waited.add(since.elapsed());
            self.since = None;
        }
        item
    }
}

impl<S> Drop for Observed<S> {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.observe(self.waited.total().as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_storage::Memory;
    use futures::TryStreamExt as _;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    fn measured() -> (Measured, Metrics) {
        let metrics = Metrics::default();
        (Measured::new(Arc::new(Memory::new()), "inmemory", &metrics), metrics)
    }

    fn count(metrics: &Metrics, action: &'static str) -> u64 {
        metrics.storage.0.get_or_create(&Labels { driver: "inmemory", action }).count()
    }

    #[tokio::test]
    async fn a_read_is_measured_when_its_stream_ends() {
        let (store, metrics) = measured();
        store.put(&key("a"), Bytes::from_static(b"x"), PutCondition::Always).await.unwrap();
        let object = store.get(&key("a"), None).await.unwrap();
        assert_eq!(count(&metrics, "GetContent"), 0);
        let read: Vec<Bytes> = object.body.try_collect().await.unwrap();
        assert_eq!(read.concat(), b"x");
        assert_eq!((count(&metrics, "GetContent"), count(&metrics, "PutContent")), (1, 1));
    }

    #[tokio::test]
    async fn what_fails_is_measured_as_well() {
        let (store, metrics) = measured();
        assert!(store.get(&key("absent"), None).await.unwrap_err().is_not_found());
        assert!(store.head(&key("absent")).await.is_err());
        assert_eq!((count(&metrics, "GetContent"), count(&metrics, "Stat")), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_a_client_sends_is_not_the_storages() {
        let (store, metrics) = measured();
        let slow = futures::stream::once(async {
            tokio::time::sleep(Duration::from_hours(1)).await;
            Ok(Bytes::from_static(b"x"))
        });
        assert_eq!(store.append(&key("upload"), 0, slow.boxed(), None).await.unwrap(), 1);
        let timer = metrics.storage.0.get_or_create(&Labels { driver: "inmemory", action: "Append" });
        assert!(timer.sum() < 3600.0, "{}", timer.sum());
    }
}
