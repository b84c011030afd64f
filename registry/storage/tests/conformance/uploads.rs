//! Uploads that grow and become objects.

use std::io;
use std::sync::Arc;

use berth_storage::Error;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::sync::oneshot;

use crate::{Store, body, collect, for_every_store, key};

for_every_store!(
    an_upload_grows_by_appending,
    an_upload_starts_with_its_first_append,
    an_upload_can_be_flushed_at_any_time,
    an_upload_cannot_start_in_the_middle,
    an_append_must_start_where_the_upload_ends,
    what_came_before_a_body_broke_off_is_kept,
    only_one_append_goes_on_at_a_time,
    a_large_body_arrives_whole,
    a_completed_upload_is_an_object_and_no_longer_an_upload,
    a_completed_object_is_dated_by_its_completion,
    an_object_that_exists_stays_when_an_upload_is_completed,
    an_upload_that_is_published_is_an_object_that_is_known,
    an_upload_that_is_not_published_is_not_known,
    an_upload_that_is_absent_cannot_be_completed,
    an_upload_of_another_size_is_not_completed_and_goes_on,
    an_aborted_upload_is_gone_and_aborting_it_again_is_success,
);

const UPLOAD: &str = "uploads/1/data";

async fn append(store: &Store, offset: u64, text: &str) -> Result<u64, Error> {
    store.store.append(&key(UPLOAD), offset, body(&[text]), None).await
}

async fn read(store: &Store) -> Vec<u8> {
    collect(store.store.read_upload(&key(UPLOAD), 0..u64::MAX).await.unwrap()).await
}

async fn an_upload_grows_by_appending(store: Store) {
    assert_eq!(store.store.append(&key(UPLOAD), 0, body(&["ab", "", "c"]), None).await.unwrap(), 3);
    assert_eq!(append(&store, 3, "def").await.unwrap(), 6);
    assert_eq!(store.store.upload_size(&key(UPLOAD)).await.unwrap(), 6);
    assert_eq!(read(&store).await, b"abcdef");
}

async fn an_upload_starts_with_its_first_append(store: Store) {
    assert!(store.store.upload_size(&key(UPLOAD)).await.unwrap_err().is_not_found());
    assert_eq!(store.store.append(&key(UPLOAD), 0, body(&[]), None).await.unwrap(), 0);
    assert_eq!(store.store.upload_size(&key(UPLOAD)).await.unwrap(), 0);
}

async fn an_upload_can_be_flushed_at_any_time(store: Store) {
    store.store.flush_upload(&key(UPLOAD)).await.unwrap();
    append(&store, 0, "abc").await.unwrap();
    store.store.flush_upload(&key(UPLOAD)).await.unwrap();
    assert_eq!(append(&store, 3, "d").await.unwrap(), 4);
    assert_eq!(read(&store).await, b"abcd");
}

async fn an_upload_cannot_start_in_the_middle(store: Store) {
    assert!(append(&store, 3, "def").await.unwrap_err().is_not_found());
    assert!(store.names().await.is_empty());
}

async fn an_append_must_start_where_the_upload_ends(store: Store) {
    append(&store, 0, "abc").await.unwrap();
    for offset in [0, 2, 4] {
        let error = append(&store, offset, "x").await.unwrap_err();
        assert!(matches!(error, Error::OffsetMismatch { expected: 3 }), "{error:?}");
    }
    assert_eq!(read(&store).await, b"abc");
}

async fn what_came_before_a_body_broke_off_is_kept(store: Store) {
    append(&store, 0, "abc").await.unwrap();
    let broken =
        stream::iter([Ok(Bytes::from_static(b"de")), Err(io::ErrorKind::ConnectionReset.into())]).boxed();
    let error = store.store.append(&key(UPLOAD), 3, broken, None).await.unwrap_err();
    assert!(matches!(error, Error::BodyInterrupted { written: 2, .. }), "{error:?}");
    assert_eq!(append(&store, 5, "f").await.unwrap(), 6);
    assert_eq!(read(&store).await, b"abcdef");
}

async fn only_one_append_goes_on_at_a_time(store: Store) {
    let (started, has_started) = oneshot::channel();
    let (finish, may_finish) = oneshot::channel::<()>();
    let slow = stream::once(async move {
        started.send(()).unwrap();
        may_finish.await.unwrap();
        Ok(Bytes::from_static(b"slow"))
    });
    let first = tokio::spawn({
        let store = Arc::clone(&store.store);
        async move { store.append(&key(UPLOAD), 0, slow.boxed(), None).await }
    });
    has_started.await.unwrap();
    assert!(matches!(append(&store, 0, "x").await.unwrap_err(), Error::Busy(_)));
    assert!(matches!(store.store.complete(&key(UPLOAD), 0, &key("b")).await.unwrap_err(), Error::Busy(_)));
    assert!(matches!(store.store.abort(&key(UPLOAD)).await.unwrap_err(), Error::Busy(_)));
    finish.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), 4);
    assert_eq!(append(&store, 4, "er").await.unwrap(), 6);
    assert_eq!(read(&store).await, b"slower");
}

async fn a_large_body_arrives_whole(store: Store) {
    let chunk = |number: u8| Bytes::from(vec![number; 70_001]);
    let content: Vec<u8> = (0..60).flat_map(chunk).collect();
    let size = store
        .store
        .append(&key(UPLOAD), 0, stream::iter((0..60).map(chunk).map(Ok)).boxed(), None)
        .await
        .unwrap();
    assert_eq!(size, content.len() as u64);
    assert!(read(&store).await == content);
}

async fn a_completed_upload_is_an_object_and_no_longer_an_upload(store: Store) {
    append(&store, 0, "content").await.unwrap();
    store.store.complete(&key(UPLOAD), 7, &key("blobs/b")).await.unwrap();
    assert_eq!(store.read("blobs/b").await, b"content");
    assert!(store.store.upload_size(&key(UPLOAD)).await.unwrap_err().is_not_found());
    assert_eq!(store.names().await, ["blobs/b"]);
}

async fn a_completed_object_is_dated_by_its_completion(store: Store) {
    append(&store, 0, "content").await.unwrap();
    store.put("later", "").await;
    let appended = store.store.head(&key("later")).await.unwrap().modified;
    while store.store.head(&key("later")).await.unwrap().modified == appended {
        store.put("later", "").await;
    }
    store.store.complete(&key(UPLOAD), 7, &key("b")).await.unwrap();
    assert!(store.store.head(&key("b")).await.unwrap().modified > appended);
}

async fn an_object_that_exists_stays_when_an_upload_is_completed(store: Store) {
    store.put("b", "first").await;
    append(&store, 0, "second").await.unwrap();
    store.store.complete(&key(UPLOAD), 6, &key("b")).await.unwrap();
    assert_eq!(store.read("b").await, b"first");
    assert_eq!(store.names().await, ["b"]);
}

async fn an_upload_that_is_published_is_an_object_that_is_known(store: Store) {
    append(&store, 0, "content").await.unwrap();
    let links = vec![(key("links/b"), Bytes::from_static(b"b"))];
    store.store.publish(&key(UPLOAD), 7, &key("blobs/b"), links).await.unwrap();
    assert_eq!(store.read("blobs/b").await, b"content");
    assert_eq!(store.read("links/b").await, b"b");
    assert_eq!(store.names().await, ["blobs/b", "links/b"]);
}

async fn an_upload_that_is_not_published_is_not_known(store: Store) {
    append(&store, 0, "content").await.unwrap();
    let links = vec![(key("links/b"), Bytes::from_static(b"b"))];
    let published = store.store.publish(&key(UPLOAD), 5, &key("blobs/b"), links).await;
    assert!(matches!(published, Err(Error::OffsetMismatch { expected: 7 })), "{published:?}");
    assert!(store.store.head(&key("links/b")).await.unwrap_err().is_not_found());
}

async fn an_upload_of_another_size_is_not_completed_and_goes_on(store: Store) {
    append(&store, 0, "content").await.unwrap();
    append(&store, 7, " and more").await.unwrap();
    let refused = store.store.complete(&key(UPLOAD), 7, &key("b")).await.unwrap_err();
    assert!(matches!(refused, Error::OffsetMismatch { expected: 16 }), "{refused:?}");
    store.store.complete(&key(UPLOAD), 16, &key("b")).await.unwrap();
    assert_eq!(store.read("b").await, b"content and more");
}

async fn an_upload_that_is_absent_cannot_be_completed(store: Store) {
    assert!(store.store.complete(&key(UPLOAD), 0, &key("b")).await.unwrap_err().is_not_found());
    assert!(store.names().await.is_empty());
}

async fn an_aborted_upload_is_gone_and_aborting_it_again_is_success(store: Store) {
    append(&store, 0, "content").await.unwrap();
    store.store.abort(&key(UPLOAD)).await.unwrap();
    assert!(store.store.upload_size(&key(UPLOAD)).await.unwrap_err().is_not_found());
    store.store.abort(&key(UPLOAD)).await.unwrap();
    assert!(store.names().await.is_empty());
}
