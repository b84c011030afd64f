//! Requests that a proxy in front could read in another way than this server does. Each is refused, or ends the
//! connection; what stands behind it is never taken for a second request.

use crate::{fixture::Setup, raw::PING};

/// A request that is answered with 200 and ends the connection.
const LAST: &str = "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// What comes back for these bytes: the statuses of all answers until the connection is closed.
async fn statuses(bytes: &[u8]) -> Vec<u16> {
    let server = Setup::new().start().await;
    let mut raw = server.raw().await;
    raw.send(bytes).await;
    let mut statuses = Vec::new();
    while let Some(answer) = raw.next_answer().await {
        statuses.push(answer.status);
    }
    statuses
}

/// Sends each head with a request behind it, and sees that there is one answer with this status, or none at all.
async fn assert_refused(status: u16, heads: &[&str]) {
    for head in heads {
        let answered = statuses(format!("{head}{LAST}").as_bytes()).await;
        assert!(answered == [status] || answered.is_empty(), "{head:?} was answered with {answered:?}");
    }
}

/// Pushes a blob in one request; only `hello` has this digest.
const PUSH: &str = "POST /v2/app/blobs/uploads/?digest=\
                    sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// A push with these headers, an empty line, and these bytes as its body.
fn push(headers: &str, body: &str) -> String {
    format!("{PUSH} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}")
}

/// `hello` in chunks.
const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

#[tokio::test]
async fn a_request_and_another_behind_it_are_two() {
    assert_eq!(statuses(format!("{PING}{LAST}").as_bytes()).await, [200, 200]);
    let chunked = push("Transfer-Encoding: chunked", "5;name=value\r\nhello\r\n0\r\n\r\n");
    assert_eq!(
        statuses(format!("{chunked}{LAST}").as_bytes()).await,
        [201, 200],
        "chunk extensions are read over"
    );
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    let both = push("Content-Length: 5\r\nContent-Length: 6", "hello");
    let list = push("Content-Length: 5, 6", "hello");
    assert_refused(400, &[&both, &list]).await;
}

#[tokio::test]
async fn a_length_that_is_told_twice_is_that_length() {
    let request = push("Content-Length: 5\r\nContent-Length: 5", "hello");
    assert_eq!(statuses(format!("{request}{LAST}").as_bytes()).await, [201, 200]);
}

/// RFC 9112, section 6.1: the chunks count, and the connection ends with the answer.
#[tokio::test]
async fn a_length_beside_chunks_ends_the_connection() {
    for headers in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let request = push(headers, CHUNKS);
        assert_eq!(statuses(format!("{request}{LAST}").as_bytes()).await, [201], "{headers}");
    }
}

#[tokio::test]
async fn lengths_that_are_no_numbers_are_refused() {
    for length in ["-5", "+5", "0x5", "5 5", "", "5;", "99999999999999999999999"] {
        assert_refused(400, &[&push(&format!("Content-Length: {length}"), "hello")]).await;
    }
}

#[tokio::test]
async fn transfer_codings_other_than_chunked_are_refused() {
    for coding in
        ["chunked, identity", "identity", "chunked\r\nTransfer-Encoding: identity", "xchunked", "\"chunked\""]
    {
        let request = push(&format!("Transfer-Encoding: {coding}"), CHUNKS);
        assert_refused(400, &[&request]).await;
    }
    for coding in ["gzip, chunked", "chunked, chunked", "chunked\r\nTransfer-Encoding: chunked"] {
        let request = push(&format!("Transfer-Encoding: {coding}"), CHUNKS);
        assert_refused(501, &[&request]).await;
    }
    let old = format!("{PUSH} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}");
    assert_refused(400, &[&old]).await;
}

#[tokio::test]
async fn chunks_that_cannot_be_read_end_the_connection() {
    for body in [
        "ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloo\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
    ] {
        let request = push("Transfer-Encoding: chunked", body);
        assert_refused(400, &[&request]).await;
    }
}

#[tokio::test]
async fn what_trails_the_chunks_says_nothing_about_the_body() {
    for trailer in ["Content-Length: 50", "Transfer-Encoding: gzip", "Host: other"] {
        let body = format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n");
        let request = push("Transfer-Encoding: chunked", &body);
        assert_eq!(statuses(format!("{request}{LAST}").as_bytes()).await, [201, 200], "{trailer}");
    }
}

#[tokio::test]
async fn what_surrounds_the_chunks_is_not_read_for_ever() {
    let long = "a".repeat(64 << 10);
    for body in [
        format!("5;{long}\r\nhello\r\n0\r\n\r\n"),
        format!("5\r\nhello\r\n0\r\nX: {long}\r\n\r\n"),
        format!("5\r\nhello\r\n0\r\n{}\r\n", "X: a\r\n".repeat(10_000)),
    ] {
        let request = push("Transfer-Encoding: chunked", &body);
        assert_refused(400, &[&request]).await;
    }
}

#[tokio::test]
async fn headers_that_are_not_written_as_headers_are_refused() {
    for header in [
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "X-Long: one\r\n two",
        "X-Nul: a\0b",
        "X-Return: a\rb",
        "X\0: a",
        "X Y: a",
        ": a",
        "nothing",
    ] {
        assert_refused(400, &[&push(header, "")]).await;
    }
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    for head in [
        "GET /v2/ HTTP/1.1\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
        "GET http://other/v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        assert_refused(400, &[head]).await;
    }
    let absolute = format!("GET http://localhost/v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n{LAST}");
    assert_eq!(statuses(absolute.as_bytes()).await, [200, 200]);
}

#[tokio::test]
async fn requests_that_are_none_to_a_registry_are_refused() {
    assert_refused(501, &["CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n"]).await;
    assert_refused(501, &["TRACE /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n"]).await;
    for head in
        ["OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /v2/\r\n\r\n", "GET /v2/ HTTP/1.9\r\n\r\n"]
    {
        assert_refused(400, &[head]).await;
    }
}

/// RFC 9112, section 2.2, lets a server take a bare line feed for the end of a line, and so does Go's. Such a line is
/// the end of a header here too, and never a part of its value, which is what matters to whoever stands behind.
#[tokio::test]
async fn a_bare_line_feed_ends_a_header() {
    let request = format!("{PUSH} HTTP/1.1\nHost: localhost\nX: a\nContent-Length: 5\n\nhello");
    assert_eq!(statuses(format!("{request}{LAST}").as_bytes()).await, [201, 200]);
}
