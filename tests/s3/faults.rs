//! What the store makes of a request that goes wrong: it knows what it has done, and says so.

use crate::{Store, collect, contract, key};
use berth_storage::{ByteStream, Object, PutCondition, S3, S3Settings, SMALLEST_PART};
use berth_tests::fault_proxy::{Fault, FaultProxy};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;
const UPLOAD: &str = "uploads/1/data";
const OBJECT: &str = "blobs/1/data";

/// The ways in which a request is carried out and its answer lost.
const LOST: [Fault; 4] = [Fault::LostAnswer, Fault::DoneButError, Fault::ResetInAnswer, Fault::Truncated];

/// A store behind faults; none happens unless a test asks for it.
fn site(change: impl FnOnce(&mut S3Settings)) -> (FaultProxy, Store) {
    let proxy = FaultProxy::start(&crate::SERVER.address(), 1).unwrap();
    let mut settings = contract::settings(&proxy.url());
    settings.writing.part_size = SMALLEST_PART;
    settings.copying.part_size = SMALLEST_PART;
    settings.copying.threshold = SMALLEST_PART;
    change(&mut settings);
    (proxy, Store { store: Arc::new(S3::new(settings, |_| None).unwrap()), _folder: None })
}

async fn put(store: &Store, name: &str, text: &str, condition: PutCondition) -> berth_storage::Result<()> {
    store.store.put(&key(name), Bytes::from(text.to_owned()), condition).await
}

async fn unchanged(store: &Store, name: &str) -> PutCondition {
    PutCondition::IfVersion(store.store.head(&key(name)).await.unwrap().version.unwrap())
}

fn is_put(line: &str) -> bool {
    line.starts_with("PUT ")
}

#[tokio::test]
async fn whoever_has_written_on_a_condition_is_told_so_although_the_answer_was_lost() {
    let (proxy, store) = site(|_| {});
    put(&store, "first", "", PutCondition::IfAbsent).await.unwrap();
    for fault in LOST {
        let name = format!("{fault:?}");
        proxy.fail_next(fault, is_put);
        put(&store, &name, "1", PutCondition::IfAbsent).await.unwrap();
        let before = unchanged(&store, &name).await;
        proxy.fail_next(fault, is_put);
        put(&store, &name, "2", before.clone()).await.unwrap();
        assert!(put(&store, &name, "3", before).await.is_err());
        assert!(put(&store, &name, "3", PutCondition::IfAbsent).await.is_err());
        assert_eq!(store.read(&name).await, b"2");
    }
}

#[tokio::test]
async fn whoever_cannot_know_whether_a_write_was_done_says_neither() {
    let (proxy, store) = site(|_| {});
    put(&store, "link", "theirs", PutCondition::IfAbsent).await.unwrap();
    proxy.fail_next(Fault::InternalError, is_put);
    let failure = put(&store, "link", "ours", PutCondition::IfAbsent).await.unwrap_err();
    assert!(failure.is_transient(), "{failure:?}");
    assert_eq!(store.read("link").await, b"theirs");
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_sent_again() {
    let (proxy, store) = site(|_| {});
    for fault in LOST {
        put(&store, "link", "", PutCondition::Always).await.unwrap();
        proxy.fail_next(fault, |line| line.starts_with("DELETE "));
        store.store.delete(&key("link")).await.unwrap();
        assert!(store.store.head(&key("link")).await.unwrap_err().is_not_found());
    }
}

/// So many bytes, none of which is like its neighbours.
fn content(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).take(length).collect()
}

fn body(bytes: &[u8]) -> ByteStream {
    let chunks: Vec<_> = bytes.chunks(100_003).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks).boxed()
}

fn is_get(line: &str) -> bool {
    line.starts_with("GET ") && !line.contains('?')
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_where_it_broke() {
    // It may break off more often than one request may be sent again, as long as something arrives in between.
    let (proxy, store) = site(|settings| settings.requests.retries = 1);
    let content = content(6 * MIB);
    store.store.put(&key(OBJECT), content.clone().into(), PutCondition::Always).await.unwrap();
    for range in [None, Some(1000..5_000_000)] {
        let expected =
            range.clone().map_or(0..content.len(), |range| 1000..usize::try_from(range.end).unwrap());
        for fault in [Fault::Truncated, Fault::ResetInAnswer, Fault::Truncated, Fault::SlowDown] {
            proxy.fail_next(fault, is_get);
        }
        let Object { body, .. } = store.store.get(&key(OBJECT), range).await.unwrap();
        assert!(collect(body).await == content[expected]);
    }
}

#[tokio::test]
async fn a_body_does_not_go_on_with_another_content() {
    let (proxy, store) = site(|_| {});
    store.store.put(&key(OBJECT), vec![b'a'; 6 * MIB].into(), PutCondition::Always).await.unwrap();
    proxy.fail_next(Fault::Truncated, is_get);
    let Object { mut body, .. } = store.store.get(&key(OBJECT), None).await.unwrap();
    body.try_next().await.unwrap().unwrap();
    store.store.put(&key(OBJECT), vec![b'b'; 6 * MIB].into(), PutCondition::Always).await.unwrap();
    let read: Vec<_> = body.collect().await;
    assert!(read.last().is_some_and(Result::is_err));
    assert!(read.iter().flatten().flatten().all(|byte| *byte == b'a'));
}

#[tokio::test]
async fn a_list_that_breaks_off_is_asked_for_again() {
    let (proxy, store) = site(|_| {});
    for name in ["a/1", "a/2", "b"] {
        put(&store, name, "", PutCondition::Always).await.unwrap();
    }
    for fault in [Fault::Truncated, Fault::ResetInAnswer, Fault::SlowDown] {
        proxy.fail_next(fault, |line| line.contains("list-type=2"));
        assert_eq!(store.names().await, ["a/1", "a/2", "b"]);
    }
}

/// Whether the request finds out what the server can do.
fn is_trial(line: &str) -> bool {
    line.contains("/_berth/")
}

fn is_part(line: &str) -> bool {
    line.contains("partNumber=1&") && !is_trial(line)
}

#[tokio::test]
async fn a_part_that_was_damaged_on_its_way_is_sent_again() {
    let (proxy, store) = site(|_| {});
    let content = content(11 * MIB);
    proxy.fail_next(Fault::Damaged, is_part);
    store.store.append(&key(UPLOAD), 0, body(&content), Some(&key(OBJECT))).await.unwrap();
    store.store.complete(&key(UPLOAD), content.len() as u64, &key(OBJECT)).await.unwrap();
    assert_eq!(proxy.faults().get(&Fault::Damaged), Some(&1));
    assert!(store.read(OBJECT).await == content);
}

#[tokio::test]
async fn where_nobody_knows_whether_the_server_looks_at_checksums_damage_is_noticed_all_the_same() {
    let (proxy, store) = site(|settings| settings.requests.retries = 0);
    let content = content(11 * MIB);
    proxy.fail_next(Fault::InternalError, |line| line.contains("/_berth/checksums/"));
    proxy.fail_next(Fault::Damaged, is_part);
    let append = store.store.append(&key(UPLOAD), 0, body(&content), Some(&key(OBJECT))).await;
    assert!(append.is_err());
    assert_eq!(proxy.faults(), [(Fault::InternalError, 1), (Fault::Damaged, 1)].into());
}

#[tokio::test]
async fn an_upload_becomes_its_object_whatever_request_of_its_end_goes_wrong() {
    let is_end: [fn(&str) -> bool; 4] = [
        |line| line.starts_with("POST ") && line.contains("uploads=") && !is_trial(line),
        |line| line.contains("partNumber=1&") && !is_trial(line),
        |line| line.starts_with("POST ") && line.contains("uploadId="),
        |line| line.starts_with("DELETE ") && !is_trial(line),
    ];
    let content = content(11 * MIB);
    for is_end in is_end {
        for fault in LOST.into_iter().chain([Fault::ErrorInSuccess]) {
            for destination in [None, Some(key(OBJECT))] {
                let (proxy, store) = site(|_| {});
                proxy.fail_next(fault, is_end);
                store.store.append(&key(UPLOAD), 0, body(&content), destination.as_ref()).await.unwrap();
                proxy.fail_next(fault, is_end);
                proxy.fail_next(fault, is_end);
                store.store.complete(&key(UPLOAD), content.len() as u64, &key(OBJECT)).await.unwrap();
                assert!(store.read(OBJECT).await == content, "{fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_upload_whose_part_could_not_be_sent_goes_on_where_it_was_acknowledged() {
    let (proxy, store) = site(|settings| settings.requests.retries = 0);
    let content = content(17 * MIB);
    let acknowledged = 6 * MIB;
    store.store.append(&key(UPLOAD), 0, body(&content[..acknowledged]), None).await.unwrap();
    proxy.fail_next(Fault::SlowDown, |line| line.contains("partNumber=2"));
    let rest = body(&content[acknowledged..]);
    let failure = store.store.append(&key(UPLOAD), acknowledged as u64, rest, None).await.unwrap_err();
    assert!(failure.is_transient(), "{failure:?}");
    let arrived = usize::try_from(store.store.upload_size(&key(UPLOAD)).await.unwrap()).unwrap();
    assert!(arrived >= acknowledged, "{arrived}");
    store.store.append(&key(UPLOAD), arrived as u64, body(&content[arrived..]), None).await.unwrap();
    store.store.complete(&key(UPLOAD), content.len() as u64, &key(OBJECT)).await.unwrap();
    assert!(store.read(OBJECT).await == content);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let (proxy, store) = site(|settings| {
        settings.requests.time_limit = Duration::from_millis(100);
        settings.requests.retries = 1;
    });
    proxy.set_only(Some(Fault::Silent));
    proxy.set_rate(1000);
    let link = key("link");
    let put = put(&store, "link", "", PutCondition::Always).await;
    let failures = [
        store.store.head(&link).await.unwrap_err(),
        put.unwrap_err(),
        store.store.delete(&link).await.unwrap_err(),
        store.store.list(&link, None).try_collect::<Vec<_>>().await.unwrap_err(),
        store.store.append(&key(UPLOAD), 0, body(&content(6 * MIB)), None).await.unwrap_err(),
    ];
    assert!(failures.iter().all(berth_storage::Error::is_transient), "{failures:?}");
}
