//! What waits outlives the process.

use std::{collections::HashSet, net::TcpListener};

use berth_storage::ObjectStore;
use futures::TryStreamExt;
use serde_json::Value;

use super::{
    fixture::{endpoint, pull, push, start, store},
    receiver::Receiver,
};

/// A port on which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The ids of all events in the storage.
async fn waiting_ids(store: &dyn ObjectStore) -> HashSet<String> {
    let queue = "docker/registry/v2/_berth/notifications/mail/queue".parse().unwrap();
    let batches: Vec<_> = store.list(&queue, None).try_collect().await.unwrap();
    let mut ids = HashSet::new();
    for batch in batches {
        let chunks: Vec<_> = store.get(&batch.key, None).await.unwrap().body.try_collect().await.unwrap();
        let events: Vec<Value> = serde_json::from_slice(&chunks.concat()).unwrap();
        ids.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
    }
    ids
}

#[tokio::test]
async fn a_backlog_is_delivered_after_a_restart_in_order_and_under_the_same_ids() {
    let (port, store) = (free_port(), store());
    let endpoints = [endpoint("mail", &format!("http://127.0.0.1:{port}/"))];
    let before = start(&store, &endpoints);
    for repository in ["first", "second", "third"] {
        push(&before, repository).await;
    }
    pull(&before, "pulled", "application/octet-stream").await;
    before.stop().await;
    let ids = waiting_ids(&*store).await;
    assert_eq!(ids.len(), 4, "the pull is written before the end");

    let receiver = Receiver::at(port).await;
    let after = start(&store, &endpoints);
    push(&after, "fourth").await;
    assert_eq!(receiver.repositories(5).await, ["first", "second", "third", "pulled", "fourth"]);
    let told = receiver.accepted(5).await;
    assert!(told[..4].iter().all(|event| ids.contains(event["id"].as_str().unwrap())));
    after.stop().await;
    assert_eq!(waiting_ids(&*store).await, HashSet::new());
}

#[tokio::test]
async fn an_endpoint_that_comes_up_later_is_told_without_a_restart() {
    let (port, store) = (free_port(), store());
    let notifications = start(&store, &[endpoint("mail", &format!("http://127.0.0.1:{port}/"))]);
    push(&notifications, "early").await;
    let receiver = Receiver::at(port).await;
    assert_eq!(receiver.repositories(1).await, ["early"]);
}

#[tokio::test]
async fn the_request_under_way_is_waited_for_and_the_rest_stays() {
    let (receiver, store) = (Receiver::holding().await, store());
    let notifications = start(&store, &[endpoint("mail", &receiver.url())]);
    push(&notifications, "first").await;
    receiver.requested().await;
    push(&notifications, "second").await;
    let (stopped, ()) = tokio::join!(
        async {
            notifications.stop().await;
            receiver.requests().len()
        },
        async { receiver.release() },
    );
    assert_eq!(stopped, 1);
    assert_eq!(waiting_ids(&*store).await.len(), 1);
}

#[tokio::test]
async fn what_waits_for_a_former_endpoint_is_removed() {
    let store = store();
    let former = start(&store, &[endpoint("mail", &format!("http://127.0.0.1:{}/", free_port()))]);
    push(&former, "app").await;
    former.stop().await;
    assert_eq!(waiting_ids(&*store).await.len(), 1);

    start(&store, &[]);
    while !waiting_ids(&*store).await.is_empty() {
        tokio::task::yield_now().await;
    }
}
