//! Uploads that are larger than a part, in one process and in several that follow one another.

use crate::{Store, collect, contract, key};
use berth_storage::{ByteStream, Error, S3, S3Settings, SMALLEST_PART};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

const MIB: usize = 1 << 20;
const UPLOAD: &str = "uploads/1/data";
const OBJECT: &str = "blobs/1/data";

/// Two servers with small parts on one folder.
fn servers() -> (Store, Store) {
    let mut settings = contract::settings(&crate::SERVER.url());
    settings.writing.part_size = SMALLEST_PART;
    settings.copying.part_size = SMALLEST_PART;
    settings.copying.threshold = SMALLEST_PART;
    (server(settings.clone()), server(settings))
}

fn server(settings: S3Settings) -> Store {
    Store { store: Arc::new(S3::new(settings, |_| None).unwrap()), _folder: None }
}

/// So many bytes, none of which is like its neighbours.
fn content(length: usize) -> Vec<u8> {
    let letters = b"abcdefghijklmnopqrstuvwxyz".iter().copied();
    letters.cycle().enumerate().map(|(at, letter)| letter ^ (at / 26).to_le_bytes()[0]).take(length).collect()
}

fn body(bytes: &[u8]) -> ByteStream {
    let chunks: Vec<_> = bytes.chunks(100_003).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks).boxed()
}

async fn assert_becomes_the_object(store: &Store, expected: &[u8]) {
    store.store.complete(&key(UPLOAD), expected.len() as u64, &key(OBJECT)).await.unwrap();
    assert!(store.read(OBJECT).await == expected);
    assert_eq!(store.names().await, [OBJECT]);
    assert_eq!(store.store.remove_leftovers(&key(""), SystemTime::now()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_upload_whose_object_is_known_is_written_where_it_stays() {
    let (one, other) = servers();
    let content = content(17 * MIB + 5);
    let (first, rest) = content.split_at(11 * MIB);
    let object = key(OBJECT);
    one.store.append(&key(UPLOAD), 0, body(first), Some(&object)).await.unwrap();
    assert!(other.store.head(&object).await.unwrap_err().is_not_found());
    other.store.append(&key(UPLOAD), first.len() as u64, body(rest), Some(&object)).await.unwrap();
    assert_becomes_the_object(&one, &content).await;
}

#[tokio::test]
async fn an_upload_whose_object_is_not_known_is_copied_to_it() {
    let (one, other) = servers();
    let content = content(17 * MIB + 5);
    let (first, rest) = content.split_at(11 * MIB);
    one.store.append(&key(UPLOAD), 0, body(first), None).await.unwrap();
    assert_eq!(other.store.upload_size(&key(UPLOAD)).await.unwrap(), first.len() as u64);
    other.store.append(&key(UPLOAD), first.len() as u64, body(rest), None).await.unwrap();
    assert_becomes_the_object(&one, &content).await;
}

#[tokio::test]
async fn an_upload_that_was_read_goes_on_and_becomes_its_object() {
    let (one, other) = servers();
    let content = content(23 * MIB + 7);
    let (first, rest) = content.split_at(12 * MIB);
    one.store.append(&key(UPLOAD), 0, body(first), None).await.unwrap();
    let read = one.store.read_upload(&key(UPLOAD), 3..first.len() as u64).await.unwrap();
    assert!(collect(read).await == first[3..]);
    other.store.append(&key(UPLOAD), first.len() as u64, body(&rest[..10]), None).await.unwrap();
    let read = one.store.read_upload(&key(UPLOAD), 0..u64::MAX).await.unwrap();
    assert!(collect(read).await == content[..first.len() + 10]);
    one.store.append(&key(UPLOAD), first.len() as u64 + 10, body(&rest[10..]), None).await.unwrap();
    assert_becomes_the_object(&other, &content).await;
}

#[tokio::test]
async fn an_upload_that_was_read_becomes_its_object_together_with_what_came_since() {
    let (one, _) = servers();
    let content = content(12 * MIB);
    let (first, rest) = content.split_at(11 * MIB);
    one.store.append(&key(UPLOAD), 0, body(first), None).await.unwrap();
    drop(one.store.read_upload(&key(UPLOAD), 0..1).await.unwrap());
    one.store.append(&key(UPLOAD), first.len() as u64, body(rest), None).await.unwrap();
    assert_becomes_the_object(&one, &content).await;
}

/// A body of which `first` arrives, and the rest when it is allowed to.
fn slow(first: &[u8]) -> (ByteStream, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (arrived, has_arrived) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let rest = stream::once(async move {
        arrived.send(()).unwrap();
        let _allowed = may_go_on.await;
        Ok(Bytes::from(vec![0; 6 * MIB]))
    });
    (body(first).chain(rest).boxed(), has_arrived, go_on)
}

#[tokio::test]
async fn of_two_servers_that_continue_an_upload_the_later_takes_it_over() {
    let (one, other) = servers();
    let content = content(18 * MIB);
    let acknowledged = 7 * MIB;
    one.store.append(&key(UPLOAD), 0, body(&content[..acknowledged]), None).await.unwrap();
    let (stuck, has_arrived, go_on) = slow(&vec![1; 13 * MIB]);
    let late = tokio::spawn({
        let store = Arc::clone(&one.store);
        async move { store.append(&key(UPLOAD), acknowledged as u64, stuck, None).await }
    });
    has_arrived.await.unwrap();
    other
        .store
        .append(&key(UPLOAD), acknowledged as u64, body(&content[acknowledged..]), None)
        .await
        .unwrap();
    go_on.send(()).unwrap();
    late.await.unwrap().unwrap_err();
    assert_becomes_the_object(&other, &content).await;
}

#[tokio::test]
async fn what_a_server_did_not_live_to_acknowledge_does_not_count() {
    let (one, other) = servers();
    let content = content(11 * MIB);
    let (stuck, has_arrived, _never) = slow(&vec![1; 13 * MIB]);
    let lost = tokio::spawn({
        let store = Arc::clone(&one.store);
        async move { store.append(&key(UPLOAD), 0, stuck, None).await }
    });
    has_arrived.await.unwrap();
    lost.abort();
    assert!(lost.await.unwrap_err().is_cancelled());
    assert_eq!(other.store.upload_size(&key(UPLOAD)).await.unwrap(), 0);
    other.store.append(&key(UPLOAD), 0, body(&content), None).await.unwrap();
    assert_becomes_the_object(&other, &content).await;
}

#[tokio::test]
async fn an_upload_that_was_begun_for_one_object_does_not_become_another() {
    let (one, _) = servers();
    let content = content(11 * MIB);
    one.store.append(&key(UPLOAD), 0, body(&content), Some(&key("blobs/other"))).await.unwrap();
    let refused = one.store.complete(&key(UPLOAD), content.len() as u64, &key(OBJECT)).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound(_)), "{refused:?}");
    assert!(one.names().await.is_empty());
}

#[tokio::test]
async fn an_upload_that_cannot_be_read_is_dropped_and_begins_anew() {
    let (one, other) = servers();
    let content = content(11 * MIB);
    one.store.append(&key(UPLOAD), 0, body(&content), Some(&key(OBJECT))).await.unwrap();
    let unreadable = other.store.read_upload(&key(UPLOAD), 0..content.len() as u64).await.err().unwrap();
    assert!(unreadable.is_not_found(), "{unreadable:?}");
    assert!(one.store.upload_size(&key(UPLOAD)).await.unwrap_err().is_not_found());
    one.store.append(&key(UPLOAD), 0, body(&content), Some(&key(OBJECT))).await.unwrap();
    assert_becomes_the_object(&one, &content).await;
}

#[tokio::test]
async fn what_interrupted_uploads_have_left_in_hiding_is_removed() {
    let (one, _) = servers();
    let (stuck, has_arrived, _never) = slow(&content(6 * MIB));
    let lost = tokio::spawn({
        let store = Arc::clone(&one.store);
        async move { store.append(&key(UPLOAD), 0, stuck, Some(&key(OBJECT))).await }
    });
    has_arrived.await.unwrap();
    lost.abort();
    let _cancelled = lost.await;
    let yesterday = SystemTime::now() - Duration::from_hours(24);
    assert_eq!(one.store.remove_leftovers(&key(""), yesterday).await.unwrap(), 0);
    let soon = SystemTime::now() + Duration::from_mins(1);
    assert_eq!(one.store.remove_leftovers(&key("uploads"), soon).await.unwrap(), 0);
    // By its whole key, since MinIO tells of such uploads in no other way.
    assert_eq!(one.store.remove_leftovers(&key(OBJECT), yesterday).await.unwrap(), 0);
    assert_eq!(one.store.remove_leftovers(&key(OBJECT), soon).await.unwrap(), 1);
    assert_eq!(one.store.remove_leftovers(&key(OBJECT), soon).await.unwrap(), 0);
}
