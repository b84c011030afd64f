//! Uploads that have become content: nothing can be added to them, and nothing is lost, wherever a finishing has failed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use berth_oci::{ContentRange, Digest, UploadId};
use berth_registry::repository::{Error, Registry, Repository, Rules};
use berth_storage::{
    ByteStream, Error as StorageError, Key, Memory, Object, ObjectMeta, ObjectStore, PutCondition, Result,
};
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::fixture::*;

/// Where a finishing fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The upload does not become content.
    Completion,
    /// It has become content, and nothing links to that.
    Link,
    /// It has become content and is linked to, and what is beside the upload stays.
    Removal,
}

const FAULTS: [Fault; 4] = [Fault::None, Fault::Completion, Fault::Link, Fault::Removal];

/// A store in memory whose next steps of one kind fail.
#[derive(Debug)]
struct Failing {
    store: Memory,
    fault: AtomicU8,
}

impl Failing {
    fn fail(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::Relaxed);
    }

    fn check(&self, step: Fault, key: &Key) -> Result<()> {
        let source = std::io::Error::other("the disk has left");
        let fails = self.fault.load(Ordering::Relaxed) == step as u8;
        if fails { Err(StorageError::Unavailable { key: key.clone(), source }) } else { Ok(()) }
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.store.head(key).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        self.store.get(key, range).await
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        if key.as_str().contains("/_layers/") {
            self.check(Fault::Link, key)?;
        }
        self.store.put(key, body, condition).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        if key.as_str().contains("/_uploads/") {
            self.check(Fault::Removal, key)?;
        }
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

    async fn flush_upload(&self, upload: &Key) -> Result<()> {
        self.store.flush_upload(upload).await
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        self.store.upload_size(upload).await
    }

    async fn read_upload(&self, upload: &Key, range: Range<u64>) -> Result<ByteStream> {
        self.store.read_upload(upload, range).await
    }

    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()> {
        self.check(Fault::Completion, upload)?;
        self.store.complete(upload, size, object).await
    }

    async fn abort(&self, upload: &Key) -> Result<()> {
        self.store.abort(upload).await
    }
}

/// A registry whose storage fails on demand, and an upload of which all has come but the end.
struct Site {
    store: Arc<Failing>,
    app: Repository,
    id: UploadId,
    digest: Digest,
}

impl Site {
    async fn new() -> Self {
        let fault = AtomicU8::new(Fault::None as u8);
        let store = Arc::new(Failing { store: Memory::new(), fault });
        let rules = Rules { delete_enabled: true, ..Rules::default() };
        let app = Registry::new(Arc::clone(&store) as _, rules).repository(name("app"));
        let id = app.uploads().start().await.unwrap();
        app.uploads().append(&id, None, body([&long("con")])).await.unwrap();
        Self { store, app, id, digest: sha256(long("content")) }
    }

    /// Finishes the upload with its end, while the storage fails there.
    async fn finish_with(&self, fault: Fault) {
        self.store.fail(fault);
        let finished = self.app.uploads().finish(&self.id, None, body(["tent"]), &self.digest).await;
        self.store.fail(Fault::None);
        // What is beside an upload is removed later if it is not removed now.
        assert_eq!(
            finished.is_ok(),
            matches!(fault, Fault::None | Fault::Removal),
            "{fault:?}: {finished:?}"
        );
    }

    async fn append(&self, range: Option<&str>) -> Result<u64, Error> {
        let range = range.map(|range| range.parse::<ContentRange>().unwrap());
        self.app.uploads().append(&self.id, range, body(["more"])).await
    }

    async fn size(&self) -> Option<u64> {
        self.app.uploads().status(&self.id).await.ok()
    }

    /// Finishes once more with nothing, as a client does that takes the range from the status.
    async fn finish_again(&self) -> Result<(), Error> {
        self.app.uploads().finish(&self.id, None, body([]), &self.digest).await.map(drop)
    }

    async fn pulled(&self) -> Vec<u8> {
        collect(self.app.blobs().open(&self.digest, None).await.unwrap().body).await
    }
}

#[tokio::test]
async fn nothing_can_be_added_to_an_upload_whose_bytes_have_become_content() {
    for fault in [Fault::None, Fault::Link, Fault::Removal] {
        let end = long("content").len();
        for range in [None, Some("0-3"), Some(&*format!("{end}-{}", end + 3))] {
            let site = Site::new().await;
            site.finish_with(fault).await;
            let before = site.size().await;
            let refused = site.append(range).await;
            assert!(matches!(refused, Err(Error::UploadUnknown(_))), "{fault:?}, {range:?}: {refused:?}");
            assert_eq!(site.size().await, before, "{fault:?}, {range:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_chunk_keeps_nobody_from_finishing_what_has_failed() {
    for fault in FAULTS {
        let site = Site::new().await;
        site.finish_with(fault).await;
        if fault != Fault::Completion {
            assert!(matches!(site.append(None).await, Err(Error::UploadUnknown(_))), "{fault:?}");
        }
        let again = site.finish_again().await;
        // Of one that was finished, at most what could not be removed is known.
        let is_known = matches!(fault, Fault::Completion | Fault::Link);
        assert!(
            again.is_ok() || (!is_known && matches!(again, Err(Error::UploadUnknown(_)))),
            "{fault:?}: {again:?}"
        );
        assert!(site.pulled().await == long("content").as_bytes(), "{fault:?}");
    }
}

#[tokio::test]
async fn an_upload_that_has_not_become_content_takes_more() {
    let site = Site::new().await;
    site.finish_with(Fault::Completion).await;
    let content = long("content");
    assert_eq!(site.size().await, Some(content.len() as u64));
    assert_eq!(site.append(None).await.unwrap(), content.len() as u64 + 4);
    let digest = sha256(content + "more");
    site.app.uploads().finish(&site.id, None, body([]), &digest).await.unwrap();
    assert!(has_blob(&site.app, &digest).await && !has_blob(&site.app, &site.digest).await);
}

/// Its first request brings everything, so that nothing was remembered of it before.
#[tokio::test]
async fn a_push_in_one_request_that_failed_is_sent_again_by_the_same_upload() {
    for fault in [Fault::Completion, Fault::Link] {
        for again in [&*long("content"), ""] {
            let site = Site::new().await;
            let (uploads, digest) = (site.app.uploads(), &site.digest);
            let id = uploads.start().await.unwrap();
            site.store.fail(fault);
            uploads.finish(&id, None, body([&long("content")]), digest).await.unwrap_err();
            site.store.fail(Fault::None);
            if fault == Fault::Link {
                let added = uploads.append(&id, None, body(["more"])).await;
                assert!(matches!(added, Err(Error::UploadUnknown(_))), "{added:?}");
            }
            let finished = uploads.finish(&id, None, body([again]), digest).await;
            assert!(finished.is_ok(), "{fault:?}: {finished:?}");
            assert!(site.pulled().await == long("content").as_bytes(), "{fault:?}");
        }
    }
}
