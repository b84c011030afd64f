//! HTTP/2: when it is spoken, and when it is not.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{Request, StatusCode, body::Frame, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::tempdir;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    certificates::{Authority, secured},
    fixture::Setup,
    raw::{PING, Raw},
};

/// The body of a request.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A body whose chunks come when they come.
pub(crate) fn streamed(chunks: impl Stream<Item = &'static str> + Send + Sync + 'static) -> Body {
    BodyExt::boxed(StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk.into())))))
}

/// Begins to speak HTTP/2.
pub(crate) async fn speak<T>(stream: T) -> hyper::Result<SendRequest<Body>>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The status of the simplest request.
async fn ping(sender: &mut SendRequest<Body>) -> hyper::Result<StatusCode> {
    let request = Request::get("http://localhost/v2/").body(Body::default()).unwrap();
    Ok(sender.send_request(request).await?.status())
}

#[tokio::test]
async fn http2_is_agreed_upon_by_tls() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let server = secured(folder.path(), &authority).start().await;
    let mut client = authority.client();
    client.protocols = &["h2", "http/1.1"];
    let stream = client.connect(&server).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    assert_eq!(ping(&mut speak(stream).await.unwrap()).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn http2_is_not_offered_when_it_is_disabled() {
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let mut setup = secured(folder.path(), &authority);
    setup.config.http.http2 = false;
    let server = setup.start().await;
    let mut client = authority.client();
    client.protocols = &["h2", "http/1.1"];
    let stream = client.connect(&server).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(Raw::new(stream).ask(PING).await.status, 200);
    client.protocols = &["h2"];
    assert!(client.connect(&server).await.is_err());
}

#[tokio::test]
async fn http2_without_tls_is_spoken_when_it_is_enabled() {
    let mut setup = Setup::new();
    setup.config.http.h2c = true;
    let server = setup.start().await;
    let mut sender = speak(server.connect().await).await.unwrap();
    assert_eq!(ping(&mut sender).await.unwrap(), StatusCode::OK);
    assert_eq!(server.raw().await.ask(PING).await.status, 200, "HTTP/1.1 is spoken as well");
}

#[tokio::test]
async fn http2_without_tls_is_closed_when_it_is_not_enabled() {
    let mut setup = Setup::new();
    setup.config.http.h2c = false;
    let server = setup.start().await;
    let mut raw = server.raw().await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.assert_closed().await;
}

#[tokio::test]
async fn an_upgrade_to_http2_is_declined_by_answering_in_http1() {
    for h2c in [true, false] {
        let mut setup = Setup::new();
        setup.config.http.h2c = h2c;
        let server = setup.start().await;
        let mut raw = server.raw().await;
        let upgrade = "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                       Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
        assert_eq!(raw.ask(upgrade).await.status, 200);
        assert_eq!(raw.ask(PING).await.status, 200, "the connection goes on");
    }
}
