//! Bodies that are shorter or longer than was promised: nothing is acknowledged, and what arrived can be continued.

use std::time::Duration;

use berth_registry::server::Limits;
use futures::channel::mpsc;
use hyper::{Request, StatusCode};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    fixture::{Running, Setup},
    http2::{self, streamed},
    raw::{PING, Raw, digest_of},
};

/// Starts an upload and returns its path.
async fn start_upload(server: &Running) -> String {
    let start = "POST /v2/app/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    server.raw().await.ask(start).await.location().to_owned()
}

/// How many bytes the server has of an upload, once it has noticed that its sender is gone.
async fn size_of(server: &Running, upload: &str) -> usize {
    let status = format!("GET {upload} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = server.raw().await.ask(status).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    match answer.header("range").unwrap().split_once('-').unwrap().1.parse().unwrap() {
        0 => 0,
        last => last + 1_usize,
    }
}

/// Sends the rest of `hello world`, and sees that the blob is there.
async fn continue_upload(server: &Running, upload: &str, arrived: usize) {
    let blob = b"hello world";
    let (rest, digest) = (&blob[arrived..], digest_of(blob));
    let head = format!(
        "PUT {upload}?digest={digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        rest.len()
    );
    let mut raw = server.raw().await;
    raw.send(head).await;
    assert_eq!(raw.ask(rest).await.status, 201);
    let pull = format!("GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(raw.ask(pull).await.body, "hello world");
}

/// Sends a head and less than it promises, and closes the connection in this direction.
async fn cut_off(server: &Running, head: &str, body: &str) -> Raw<TcpStream> {
    let mut raw = server.raw().await;
    raw.send(format!("{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n{body}")).await;
    raw.stream.shutdown().await.unwrap();
    raw
}

#[tokio::test]
async fn what_arrived_of_a_chunk_is_kept_and_can_be_continued() {
    let server = Setup::new().start().await;
    let upload = start_upload(&server).await;
    let answer = cut_off(&server, &format!("PATCH {upload}"), "hello").await.next_answer().await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert_eq!(size_of(&server, &upload).await, 5);
    continue_upload(&server, &upload, 5).await;
}

#[tokio::test]
async fn a_last_chunk_that_is_cut_off_acknowledges_nothing() {
    let server = Setup::new().start().await;
    let upload = start_upload(&server).await;
    // Even though what arrived has the digest that is asked for.
    let put = format!("PUT {upload}?digest={}", digest_of(b"hello"));
    let answer = cut_off(&server, &put, "hello").await.next_answer().await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    let head = format!("HEAD /v2/app/blobs/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", digest_of(b"hello"));
    let mut raw = server.raw().await;
    raw.send(head).await;
    assert_eq!(raw.next_head().await.unwrap().status, 404);
    assert_eq!(size_of(&server, &upload).await, 5);
    continue_upload(&server, &upload, 5).await;
}

#[tokio::test]
async fn a_manifest_that_is_cut_off_is_not_stored() {
    let server = Setup::new().start().await;
    // The part is a whole manifest by itself.
    let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let mut raw = server.raw().await;
    let head = format!(
        "PUT /v2/app/manifests/latest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        index.len() + 1
    );
    raw.send(format!("{head}{index}")).await;
    raw.stream.shutdown().await.unwrap();
    let answer = raw.next_answer().await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    let pull = "GET /v2/app/manifests/latest HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(server.raw().await.ask(pull).await.status, 404);
}

#[tokio::test]
async fn bytes_behind_a_body_are_not_taken_for_a_part_of_it() {
    let server = Setup::new().start().await;
    let upload = start_upload(&server).await;
    let mut raw = server.raw().await;
    let head = format!("PATCH {upload} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(raw.ask(format!("{head}hello world")).await.status, 202);
    assert_eq!(raw.answer().await.status, 400, "the rest is no request");
    raw.assert_closed().await;
    assert_eq!(size_of(&server, &upload).await, 5);
    continue_upload(&server, &upload, 5).await;
}

#[tokio::test]
async fn an_answer_without_a_look_at_the_body_does_not_confuse_the_connection() {
    let server = Setup::new().start().await;
    let mut raw = server.raw().await;
    let lost = "PATCH /v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000 HTTP/1.1\r\nHost: localhost\r\n\
                Content-Length: 300000\r\n\r\n";
    raw.send(lost).await;
    assert_eq!(raw.answer().await.status, 404);
    // Whether the connection goes on or ends, this body is no request.
    let _ = raw.stream.write_all(&PING.as_bytes().repeat(300_000 / PING.len() + 1)[..300_000]).await;
    assert!(raw.next_answer().await.is_none());
}

/// The head of a request that is refused without a look at its body.
fn refused(more: &str) -> String {
    let upload = "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000";
    format!("PATCH {upload} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

/// A server that waits for what it does not want as long as it takes.
async fn patient_server() -> Running {
    let patient = |limits| Limits { unwanted: Duration::MAX, ..limits };
    Setup::new().with_limits(patient).start().await
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_whose_body_comes_late() {
    let server = patient_server().await;
    let mut raw = server.raw().await;
    for (head, body) in [
        (refused("Content-Length: 5\r\n"), "hello"),
        (refused("Transfer-Encoding: chunked\r\n"), "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        raw.send(head).await;
        // A second connection is served meanwhile, so that the head arrives alone.
        assert_eq!(server.raw().await.ask(PING).await.status, 200);
        let answer = raw.ask(body).await;
        assert_eq!((answer.status, answer.header("connection")), (404, None), "{answer:?}");
        assert_eq!(raw.ask(PING).await.status, 200);
    }
}

#[tokio::test]
async fn a_refusal_says_that_the_connection_ends_when_the_body_is_not_worth_waiting_for() {
    let server = patient_server().await;
    let chunks = format!("40001\r\n{}\r\n", "x".repeat(0x4_0001));
    for (head, body) in [
        (refused("Content-Length: 300000\r\n"), ""),
        (refused("Transfer-Encoding: chunked\r\n"), &*chunks),
        (refused("Content-Length: 5\r\nExpect: 100-continue\r\n"), ""),
    ] {
        let mut raw = server.raw().await;
        let answer = raw.ask(head + body).await;
        assert_eq!((answer.status, answer.header("connection")), (404, Some("close")), "{answer:?}");
        raw.assert_closed().await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_delays_no_refusal() {
    let at_once = |limits| Limits { unwanted: Duration::ZERO, ..limits };
    let server = Setup::new().with_limits(at_once).start().await;
    let answer = server.raw().await.ask(refused("Content-Length: 5\r\n")).await;
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")), "{answer:?}");
}

/// Sends these chunks by HTTP/2 under the promise of 11 bytes; `None` if the stream is reset.
async fn patch_by_http2(server: &Running, upload: &str, chunks: &[&'static str]) -> Option<StatusCode> {
    let mut client = http2::speak(server.connect().await).await.unwrap();
    let (sender, body) = mpsc::unbounded();
    let request = Request::patch(format!("http://localhost{upload}")).header("content-length", "11");
    let answer = client.send_request(request.body(streamed(body)).unwrap());
    for chunk in chunks {
        sender.unbounded_send(chunk).unwrap();
    }
    drop(sender);
    answer.await.ok().map(|answer| answer.status())
}

#[tokio::test]
async fn lengths_are_held_to_by_http2_as_well() {
    let mut setup = Setup::new();
    setup.config.http.h2c = true;
    let server = setup.start().await;
    for chunks in [["hel", "lo"], ["hello world", "!"]] {
        let upload = start_upload(&server).await;
        let status = patch_by_http2(&server, &upload, &chunks).await;
        assert!(status.is_none_or(|status| status == StatusCode::BAD_REQUEST), "{chunks:?}: {status:?}");
        let arrived = size_of(&server, &upload).await;
        assert!(arrived <= 11, "{chunks:?}: {arrived}");
        continue_upload(&server, &upload, arrived).await;
    }
    let upload = start_upload(&server).await;
    let status = patch_by_http2(&server, &upload, &["hello", " world"]).await;
    assert_eq!(status, Some(StatusCode::ACCEPTED));
}
