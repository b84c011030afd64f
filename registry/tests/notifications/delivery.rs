//! Delivery: in order, until the endpoint takes it, and without harm to anybody else.

use hyper::Method;

use super::{
    fixture::{endpoint, push, start, store},
    receiver::Receiver,
};

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("app-{number}")).collect()
}

#[tokio::test]
async fn an_envelope_is_posted_as_distribution_posts_it() {
    let receiver = Receiver::start().await;
    let mut endpoint = endpoint("mail", &receiver.url());
    endpoint.headers = vec![
        ("x-team".parse().unwrap(), "a".parse().unwrap()),
        ("x-team".parse().unwrap(), "b".parse().unwrap()),
    ];
    let notifications = start(&store(), &[endpoint]);
    push(&notifications, "app").await;
    receiver.accepted(1).await;
    let request = &receiver.requests()[0];
    assert_eq!((&request.method, request.path.as_str()), (&Method::POST, "/events?from=test"));
    assert_eq!(request.headers["content-type"], "application/vnd.docker.distribution.events.v2+json");
    assert_eq!(request.headers.get_all("x-team").iter().collect::<Vec<_>>(), ["a", "b"]);
    let event = &request.events[0];
    assert_eq!(event["action"], "push");
    assert_eq!(event["source"]["addr"], "node:5000");
    assert_eq!(event["request"]["useragent"], "test/0.1");
}

#[tokio::test]
async fn events_come_in_their_order_through_failures_of_the_endpoint() {
    let receiver = Receiver::answering(&[500, 503, 200, 429, 404, 400, 200, 502]).await;
    let notifications = start(&store(), &[endpoint("mail", &receiver.url())]);
    let repositories = numbered(20);
    for repository in &repositories {
        push(&notifications, repository).await;
    }
    assert_eq!(receiver.repositories(20).await, repositories);
}

#[tokio::test]
async fn a_redirection_counts_as_taken() {
    let receiver = Receiver::answering(&[302]).await;
    let notifications = start(&store(), &[endpoint("mail", &receiver.url())]);
    push(&notifications, "first").await;
    receiver.requested().await;
    push(&notifications, "second").await;
    assert_eq!(receiver.repositories(1).await, ["second"]);
}

#[tokio::test]
async fn a_backlog_comes_in_few_envelopes() {
    let receiver = Receiver::holding().await;
    let notifications = start(&store(), &[endpoint("mail", &receiver.url())]);
    push(&notifications, "first").await;
    receiver.requested().await;
    let repositories = numbered(300);
    for repository in &repositories {
        push(&notifications, repository).await;
    }
    receiver.release();
    assert_eq!(receiver.repositories(301).await[1..], repositories);
    let lengths: Vec<_> = receiver.requests().iter().map(|request| request.events.len()).collect();
    assert!(lengths.len() <= 10 && lengths.iter().all(|length| *length <= 64), "{lengths:?}");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_holds_up_neither_pushes_nor_other_endpoints() {
    let (silent, lively) = (Receiver::holding().await, Receiver::start().await);
    let endpoints = [endpoint("silent", &silent.url()), endpoint("lively", &lively.url())];
    let notifications = start(&store(), &endpoints);
    push(&notifications, "first").await;
    silent.requested().await;
    let repositories = numbered(50);
    for repository in &repositories {
        push(&notifications, repository).await;
    }
    assert_eq!(lively.repositories(51).await[1..], repositories);
    assert_eq!(silent.requests().len(), 1, "it has not answered yet");
    silent.release();
    assert_eq!(silent.repositories(51).await[1..], repositories);
}
