//! The orderly end: what is in flight may finish, and nothing new begins.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Request;
use tokio::net::TcpStream;

use crate::{
    fixture::{Running, Setup},
    http2::{self, Body},
    raw::{PING, Raw, push_blob},
};

/// The digest of `hello`.
const HELLO: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// Begins a push whose body the server is ready for.
async fn begin_push(server: &Running) -> Raw<TcpStream> {
    let mut raw = server.raw().await;
    let head = format!(
        "POST /v2/app/blobs/uploads/?digest={HELLO} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    assert_eq!(raw.ask(head).await.status, 100);
    raw
}

/// Waits until the system refuses new connections.
async fn refused(server: &Running) {
    while TcpStream::connect(server.socket_address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_signal_lets_requests_in_flight_finish_and_takes_no_new_ones() {
    let server = Setup::new().start().await;
    let mut push = begin_push(&server).await;
    server.signals.unbounded_send(()).unwrap();
    refused(&server).await;
    assert_eq!(push.ask("hello").await.status, 201);
    push.assert_closed().await;
    server.end.await.unwrap();
}

#[tokio::test]
async fn in_the_delay_new_connections_are_served_as_ever_until_a_signal_ends_it() {
    let mut setup = Setup::new();
    setup.config.http.drain_delay = Duration::from_hours(1);
    let server = setup.start().await;
    server.signals.unbounded_send(()).unwrap();
    for _ in 0..3 {
        assert_eq!(server.raw().await.ask(PING).await.status, 200);
    }
    server.signals.unbounded_send(()).unwrap();
    refused(&server).await;
    server.end.await.unwrap();
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let server = Setup::new().start().await;
    let _push = begin_push(&server).await;
    server.signals.unbounded_send(()).unwrap();
    server.signals.unbounded_send(()).unwrap();
    server.end.await.unwrap();
}

#[tokio::test]
async fn the_drain_timeout_ends_requests_in_flight() {
    let mut setup = Setup::new();
    setup.config.http.drain_timeout = Duration::from_millis(10);
    let server = setup.start().await;
    let _push = begin_push(&server).await;
    server.signals.unbounded_send(()).unwrap();
    server.end.await.unwrap();
}

#[tokio::test]
async fn connections_that_nobody_uses_close_at_once() {
    let mut setup = Setup::new();
    setup.config.http.h2c = true;
    let server = setup.start().await;
    let (mut used, mut fresh) = (server.raw().await, server.raw().await);
    assert_eq!(used.ask(PING).await.status, 200);
    server.signals.unbounded_send(()).unwrap();
    used.assert_closed().await;
    fresh.assert_closed().await;
    server.end.await.unwrap();
}

#[tokio::test]
async fn an_http2_client_gets_the_rest_of_its_answer_and_is_told_to_go_away() {
    let mut setup = Setup::new();
    setup.config.http.h2c = true;
    let server = setup.start().await;
    // More than a client lets come before it has looked at it.
    let blob = vec![7; 8 << 20];
    let digest = push_blob(&mut server.raw().await, &blob).await;
    let mut client = http2::speak(server.connect().await).await.unwrap();
    let request = Request::get(format!("http://localhost/v2/app/blobs/{digest}")).body(Body::default());
    let answer = client.send_request(request.unwrap()).await.unwrap();
    server.signals.unbounded_send(()).unwrap();
    refused(&server).await;
    assert!(answer.into_body().collect().await.unwrap().to_bytes() == blob);
    server.end.await.unwrap();
    assert!(client.ready().await.is_err(), "the connection has ended");
}
