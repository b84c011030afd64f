//! Manifests that are pulled again: what that costs a storage that is far away, and what is seen of what others do.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_registry::repository::{Options, Registry, Repository, Rules, RunState};
use berth_storage::{ByteStream, Clock, Key, Memory, Object, ObjectMeta, ObjectStore, PutCondition, Result};
use bytes::Bytes;
use futures::stream::BoxStream;
use serde_json::json;
use tokio::time::advance;

use crate::fixture::*;

const PATIENCE: Duration = Duration::from_secs(2);

/// A store that counts what it is asked about, but for what is asked of the garbage collection every other second.
#[derive(Debug)]
struct Counted {
    store: Memory,
    asked: AtomicU64,
}

impl Counted {
    fn count(&self, key: &Key) {
        if !key.as_str().contains("/_berth/garbage-collection/") {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often it was asked since the last time.
    fn asked(&self) -> u64 {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.count(key);
        self.store.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        self.count(key);
        self.store.get(key, range).await
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        self.store.put(key, body, condition).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.store.delete(key).await
    }

    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.store.list(prefix, start_after)
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        self.store.children(prefix, start_after)
    }

    async fn append(&self, upload: &Key, at: u64, body: ByteStream, to: Option<&Key>) -> Result<u64> {
        self.store.append(upload, at, body, to).await
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        self.store.upload_size(upload).await
    }

    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()> {
        self.store.complete(upload, size, object).await
    }

    async fn abort(&self, upload: &Key) -> Result<()> {
        self.store.abort(upload).await
    }

    fn patience(&self) -> Duration {
        self.store.patience()
    }
}

/// Two processes over one store, and the repository as each of them sees it.
struct Site {
    store: Arc<Counted>,
    one: Repository,
    other: Repository,
}

impl Site {
    fn with_patience(patience: Duration) -> Self {
        let store =
            Arc::new(Counted { store: Memory::new().with_patience(patience), asked: AtomicU64::default() });
        let process = || {
            let rules = Rules { delete_enabled: true, ..Rules::default() };
            Registry::new(Arc::clone(&store) as _, rules).repository(name("app"))
        };
        Self { one: process(), other: process(), store }
    }

    fn far_away() -> Self {
        Self::with_patience(PATIENCE)
    }
}

#[tokio::test(start_paused = true)]
async fn by_tag_only_the_tag_is_read_again() {
    let site = Site::far_away();
    push_image(&site.one, "v1", "{}", &["layer"]).await;
    site.store.asked();
    assert!(has_manifest(&site.other, "v1").await);
    assert_eq!(site.store.asked(), 2, "the tag and the content");
    advance(Duration::from_hours(1)).await;
    assert!(has_manifest(&site.other, "v1").await);
    assert_eq!(site.store.asked(), 1, "the tag");
}

#[tokio::test(start_paused = true)]
async fn by_digest_nothing_is_asked_again_for_a_while_and_then_only_whether_it_is_there() {
    let site = Site::far_away();
    let digest = digest_of(&push_image(&site.one, "v1", "{}", &["layer"]).await).to_string();
    site.store.asked();
    for asked in [2, 0, 0] {
        assert!(has_manifest(&site.other, &digest).await);
        assert_eq!(site.store.asked(), asked);
    }
    advance(PATIENCE).await;
    for asked in [1, 0] {
        assert!(has_manifest(&site.other, &digest).await);
        assert_eq!(site.store.asked(), asked);
    }
}

#[tokio::test]
async fn a_tag_that_another_process_moves_is_seen_at_once() {
    let site = Site::far_away();
    push_image(&site.one, "latest", "{}", &["first"]).await;
    assert!(has_manifest(&site.other, "latest").await);
    let second = push_image(&site.one, "latest", "{}", &["second"]).await;
    let found = site.other.manifests().get(&reference("latest")).await.unwrap();
    assert_eq!(found.digest, digest_of(&second));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_seen_at_once_where_it_is_made_and_elsewhere_after_a_while() {
    let site = Site::far_away();
    let digest = digest_of(&push_image(&site.one, "v1", "{}", &["layer"]).await);
    let by_digest = digest.to_string();
    assert!(has_manifest(&site.one, &by_digest).await && has_manifest(&site.other, &by_digest).await);
    site.one.manifests().delete(&digest.into()).await.unwrap();
    assert!(!has_manifest(&site.one, &by_digest).await);
    assert!(!has_manifest(&site.other, "v1").await, "a tag is read each time");
    advance(PATIENCE).await;
    assert!(!has_manifest(&site.other, &by_digest).await);
}

#[tokio::test]
async fn on_a_disk_a_deletion_is_seen_at_once_by_everybody() {
    let site = Site::with_patience(Duration::ZERO);
    let digest = digest_of(&push_image(&site.one, "v1", "{}", &["layer"]).await);
    assert!(has_manifest(&site.other, &digest.to_string()).await);
    site.one.manifests().delete(&digest.into()).await.unwrap();
    assert!(!has_manifest(&site.other, &digest.to_string()).await);
}

#[tokio::test]
async fn a_deleted_repository_is_gone_at_once_where_it_is_deleted() {
    let site = Site::far_away();
    let digest = digest_of(&push_image(&site.one, "v1", "{}", &["layer"]).await).to_string();
    assert!(has_manifest(&site.one, &digest).await);
    site.one.delete().await.unwrap();
    assert!(!has_manifest(&site.one, &digest).await);
}

/// Collects garbage so many days from now, without waiting for what is found.
async fn collect_in(site: &Site, days: u64) -> u64 {
    let clock = Clock::new(move || SystemTime::now() + Duration::from_hours(24 * days));
    let collector = Registry::with_clock(Arc::clone(&site.store) as _, Rules::default(), clock);
    let options = Options { delete_untagged: true, ..Options::default() };
    let run = collector.garbage_collection().run_to_end(options).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    run.manifests_deleted
}

#[tokio::test(start_paused = true)]
async fn what_a_collection_deletes_is_not_promised_from_memory() {
    let site = Site::far_away();
    let digest = digest_of(&push_image(&site.one, "v1", "{}", &[]).await);
    site.one.manifests().delete(&reference("v1")).await.unwrap();
    assert_eq!(collect_in(&site, 2).await, 0);
    // The list in the quarantine is known a little longer than the manifest.
    site.other.blobs().head(&sha256("{}")).await.unwrap();
    advance(PATIENCE / 2).await;
    assert!(has_manifest(&site.other, &digest.to_string()).await);
    assert_eq!(collect_in(&site, 4).await, 1);
    assert!(site.other.manifests().head(&digest.into()).await.is_err(), "it was about to be deleted");

    advance(PATIENCE / 2).await;
    assert!(!has_manifest(&site.other, &digest.to_string()).await, "there is another list");
}

#[tokio::test(start_paused = true)]
async fn a_type_that_the_bytes_do_not_tell_is_read_again() {
    let site = Site::far_away();
    let manifest = json!({ "schemaVersion": 2, "something": "else" }).to_string();
    let push = async |media_type: &str| {
        let media_type = media_type.parse().unwrap();
        let bytes = manifest.clone().into();
        site.one.manifests().put(&reference("v1"), Some(&media_type), bytes).await.unwrap();
    };
    let found = async || site.other.manifests().get(&reference("v1")).await.unwrap().media_type.to_string();
    push("application/x.one").await;
    assert_eq!(found().await, "application/x.one");
    push("application/x.two").await;
    advance(PATIENCE).await;
    assert_eq!(found().await, "application/x.two");
}
