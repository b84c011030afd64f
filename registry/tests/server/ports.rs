//! Clients at the wrong port: plain HTTP where TLS is spoken, and the other way round.

use tempfile::tempdir;

use crate::{
    certificates::{Authority, secured},
    fixture::Setup,
    raw::PING,
};

/// What a server with TLS answers to these plain bytes, with nothing after it.
async fn answer_to_plain(request: &[u8]) -> (String, String) {
    let folder = tempdir().unwrap();
    let server = secured(folder.path(), &Authority::new()).start().await;
    let mut raw = server.raw().await;
    raw.send(request).await;
    tokio::io::AsyncWriteExt::shutdown(&mut raw.stream).await.unwrap();
    let answer = raw.rest().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
    assert!(head.contains("\r\nConnection: close"), "{head}");
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_to_use_https() {
    let (head, body) = answer_to_plain(PING.as_bytes()).await;
    assert!(body.contains("https://"));
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{} {head}", body.len());
}

#[tokio::test]
async fn plain_head_on_the_tls_port_gets_no_body() {
    let (_, body) = answer_to_plain(b"HEAD /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(body, "");
}

#[tokio::test]
async fn a_plain_push_on_the_tls_port_can_read_its_answer() {
    let mut request = b"POST /v2/app/blobs/uploads/ HTTP/1.1\r\nContent-Length: 500000\r\n\r\n".to_vec();
    request.resize(500_000, 0);
    assert!(answer_to_plain(&request).await.1.contains("https://"));
}

#[tokio::test]
async fn plain_http2_on_the_tls_port_is_told_to_use_https() {
    assert!(answer_to_plain(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.1.contains("https://"));
}

/// Go's clients know by an answer that begins with `HTTP/` that this port speaks no TLS, and say so or fall back.
#[tokio::test]
async fn tls_on_the_plain_port_is_answered_in_plain_and_closed() {
    let server = Setup::new().start().await;
    let mut raw = server.raw().await;
    raw.send([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]).await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nThis port speaks plain HTTP: begin the address with http://...\n"));

    let error = Authority::new().client().connect(&server).await.unwrap_err();
    assert!(error.to_string().contains("corrupt message"), "{error}");
}

#[tokio::test]
async fn headers_are_written_as_scripts_look_for_them() {
    let server = Setup::new().start().await;
    let answer = server.raw().await.ask(PING).await;
    assert!(answer.head.contains("\r\nDocker-Distribution-Api-Version: registry/2.0\r\n"), "{}", answer.head);
}
