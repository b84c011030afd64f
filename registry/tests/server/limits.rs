//! Limits on how long nothing may happen, on how many connections there are, and on how large a head may be.

use std::time::Duration;

use berth_registry::server::Limits;
use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use tempfile::tempdir;
use tokio::io::AsyncWriteExt;

use crate::{
    certificates::{Authority, secured},
    fixture::{Running, Setup},
    http2::{self, Body},
    raw::{PING, Raw, push_blob},
};

/// Short enough to be waited for.
const SOON: Duration = Duration::from_millis(50);

/// Long enough that it never comes.
const NEVER: Duration = Duration::from_hours(1);

/// More than what lies in all buffers between a server and its client.
const LARGE: usize = 32 << 20;

fn patient(limits: Limits) -> Limits {
    Limits { handshake: NEVER, stall: NEVER, idle: NEVER, ..limits }
}

/// Sees that the server ends although a client holds a connection: only a limit can have ended that.
async fn assert_lets_go(server: Running) {
    server.signals.unbounded_send(()).unwrap();
    server.end.await.unwrap();
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server = Setup::new().with_limits(|limits| Limits { idle: SOON, ..patient(limits) }).start().await;
    let (mut silent, mut slow) = (server.raw().await, server.raw().await);
    slow.send("GET /v2/ HTTP/1.1\r\nHost: ").await;
    silent.assert_closed().await;
    slow.assert_closed().await;
}

#[tokio::test]
async fn a_head_that_trickles_gets_no_more_time() {
    let server = Setup::new().with_limits(|limits| Limits { idle: SOON, ..patient(limits) }).start().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: ").await.unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    // It ends, because the server closes the connection.
    while stream.write_all(b"a").await.is_ok() {
        pace.tick().await;
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let folder = tempdir().unwrap();
    let setup = secured(folder.path(), &Authority::new());
    let server = setup.with_limits(|limits| Limits { handshake: SOON, ..patient(limits) }).start().await;
    let (mut silent, mut slow) = (server.raw().await, server.raw().await);
    slow.send([0x16, 3, 1]).await;
    silent.assert_closed().await;
    slow.assert_closed().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_ends_where_http2_is_possible_too() {
    let mut setup = Setup::new().with_limits(|limits| Limits { idle: SOON, ..patient(limits) });
    setup.config.http.h2c = true;
    let server = setup.start().await;
    let (mut silent, mut begun) = (server.raw().await, server.raw().await);
    begun.send("PRI * HTTP/2.0\r\n").await;
    silent.assert_closed().await;
    begun.assert_closed().await;
    let mut client = http2::speak(server.connect().await).await.unwrap();
    let request = Request::get("http://localhost/v2/").body(Body::default()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), StatusCode::OK);
    while client.ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up_and_kept() {
    let server = Setup::new().with_limits(|limits| Limits { stall: SOON, ..patient(limits) }).start().await;
    let mut raw = server.raw().await;
    let start = "POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let upload = raw.ask(start).await.location().to_owned();
    let patch = format!("PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\nhello");
    let answer = raw.ask(patch).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "BLOB_UPLOAD_INVALID"));
    raw.assert_closed().await;
    let status = format!("GET {upload} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(server.raw().await.ask(status).await.header("range"), Some("0-4"));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    let server = Setup::new().with_limits(|limits| Limits { stall: SOON, ..patient(limits) }).start().await;
    let digest = push_blob(&mut server.raw().await, &vec![7; LARGE]).await;
    let mut raw = server.raw().await;
    raw.send(format!("GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    assert_eq!(raw.next_head().await.unwrap().status, 200);
    assert_lets_go(server).await;
}

#[tokio::test]
async fn a_client_that_holds_a_stream_open_and_takes_nothing_is_let_go() {
    let mut setup = Setup::new().with_limits(|limits| Limits { idle: SOON, ..patient(limits) });
    setup.config.http.h2c = true;
    let server = setup.start().await;
    let digest = push_blob(&mut server.raw().await, &vec![7; LARGE]).await;
    let mut client = http2::speak(server.connect().await).await.unwrap();
    let request = Request::get(format!("http://localhost/v2/app/blobs/{digest}")).body(Body::default());
    let answer = client.send_request(request.unwrap()).await.unwrap();
    assert_lets_go(server).await;
    assert!(answer.into_body().collect().await.is_err(), "the answer was cut off");
}

#[tokio::test]
async fn many_slow_heads_do_not_harm_others() {
    let server = Setup::new().with_limits(patient).start().await;
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut raw = server.raw().await;
        raw.send("GET /v2/ HTTP/1.1\r\nHost: local").await;
        slow.push(raw);
    }
    let mut raw = server.raw().await;
    push_blob(&mut raw, &vec![7; 1 << 20]).await;
    for raw in &mut slow {
        assert_eq!(raw.ask("host\r\n\r\n").await.status, 200, "they are patiently waited for");
    }
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait_for_others_to_end() {
    let server =
        Setup::new().with_limits(|limits| Limits { connections: 2, ..patient(limits) }).start().await;
    let (mut first, mut second) = (server.raw().await, server.raw().await);
    assert_eq!(first.ask(PING).await.status, 200);
    assert_eq!(second.ask(PING).await.status, 200);
    let (mut third, mut fourth) = (server.raw().await, server.raw().await);
    third.send(PING).await;
    fourth.send(PING).await;
    drop(first);
    assert_eq!(third.answer().await.status, 200);
    server.signals.unbounded_send(()).unwrap();
    fourth.assert_closed().await;
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_is_wanted() {
    let folder = tempdir().unwrap();
    let users = folder.path().join("htpasswd");
    // `bob` with the password `secret`.
    std::fs::write(&users, "bob:$2y$04$abcdefghijklmnopqrstuuW3mDBlFmzWj5TfDVYyMzIxQGlgcSr6K\n").unwrap();
    let open = Setup::new().start().await;
    let closed = Setup::configured(&[
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", users.to_str().unwrap()),
    ]);
    let closed = closed.start().await;
    let lost = "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000";
    let head = |path: &str| {
        format!(
            "PATCH {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
    };
    assert_eq!(open.raw().await.ask(head(lost)).await.status, 404);
    assert_eq!(closed.raw().await.ask(head(lost)).await.status, 401);
    let start = "POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let mut raw = open.raw().await;
    let upload = raw.ask(start).await.location().to_owned();
    assert_eq!(raw.ask(head(&upload)).await.status, 100);
    assert_eq!(raw.ask("hello").await.status, 202);
}

#[tokio::test]
async fn a_client_that_sends_what_nobody_wants_can_read_why() {
    let server = Setup::new().start().await;
    let lost =
        "PATCH /v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000 HTTP/1.1\r\nHost: localhost\r\n";
    let mut stream = server.connect().await;
    let body = vec![7; LARGE];
    stream.write_all(format!("{lost}Content-Length: {LARGE}\r\n\r\n").as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    assert_eq!(Raw::new(stream).answer().await.status, 404);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_in_words_and_beyond_all_measure_without() {
    let server = Setup::new().start().await;
    let ask = async |path: &str, header: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
        server.raw().await.ask(request).await
    };
    let long = |length| "a".repeat(length);
    let answer = ask(&format!("/v2/{}", long(20_000)), "").await;
    assert_eq!((answer.status, answer.code().as_str()), (414, "UNSUPPORTED"));
    let answer = ask("/v2/", &format!("X: {}\r\n", long(60_000))).await;
    assert_eq!((answer.status, answer.code().as_str()), (431, "UNSUPPORTED"));
    let answer = ask("/v2/", &"X: y\r\n".repeat(90)).await;
    assert_eq!((answer.status, answer.code().as_str()), (431, "UNSUPPORTED"));

    assert_eq!(ask(&format!("/v2/{}", long(70_000)), "").await.status, 414);
    assert_eq!(ask("/v2/", &"X: y\r\n".repeat(150)).await.status, 431);
    assert_eq!(ask("/v2/", &format!("X: {}\r\n", long(400_000))).await.status, 431);
}
