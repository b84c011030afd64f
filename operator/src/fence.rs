//! The fence around what a leader does: not a byte of it goes out to the API server unless this operator is certain to lead.
//!
//! The question is asked where bytes leave the process, because everything above has queues: a request that was decided upon,
//! and even handed to the HTTP client, can wait there while the process is paused or the API server is out of reach.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::{
        Client as HttpClient,
        connect::{Connected, Connection, HttpConnector},
    },
    rt::{TokioExecutor, TokioTimer},
};
use kube::{Client, Config, client::ConfigExt};
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::leader::Leadership;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection without a request is kept. A reconciliation asks much at once, and then often nothing for hours, while
/// each connection holds the memory of its TLS.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// Nothing was sent, because another operator may lead.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nothing is sent: this operator does not lead any more")]
pub struct NotLeading;

/// A client that sends only while this operator leads. It does not repeat requests by itself.
pub fn client(connection: &Config, leadership: Leadership) -> Result<Client, kube::Error> {
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let fenced = plain.map_response(move |stream| Fenced { stream, leadership: leadership.clone() });
    let secure = connection.rustls_https_connector_with_connector(fenced)?;
    let service = ServiceBuilder::new()
        .layer(connection.base_uri_layer())
        .option_layer(connection.auth_layer()?)
        .layer(connection.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(
            HttpClient::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_LIMIT)
                .build(secure),
        );
    Ok(Client::new(service, connection.default_namespace.clone()))
}

/// A stream to the API server that ends with the leadership.
#[derive(Debug)]
struct Fenced<S> {
    stream: S,
    leadership: Leadership,
}

impl<S: Write + Unpin> Write for Fenced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.leadership.is_certain() {
            return Poll::Ready(Err(io::Error::other(NotLeading)));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Read + Unpin> Read for Fenced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Connection> Connection for Fenced<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{\"metadata\": {\"name\": \"hub\"}}";

    /// An API server that answers one connection, and says how many bytes it was sent.
    async fn sent_by(leadership: Leadership) -> (Result<ConfigMap, kube::Error>, usize) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let read = connection.read(&mut [0; 4096]).await.unwrap_or_default();
            connection.write_all(ANSWER.as_bytes()).await.unwrap_or_default();
            read
        });
        let client = client(&Config::new(address), leadership).unwrap();
        let answer = Api::<ConfigMap>::default_namespaced(client).get("hub").await;
        (answer, server.await.unwrap())
    }

    #[tokio::test]
    async fn a_leader_is_connected() {
        let (answer, sent) = sent_by(Leadership::undisputed()).await;
        assert_eq!(answer.unwrap().metadata.name.as_deref(), Some("hub"));
        assert!(sent > 0);
    }

    #[tokio::test]
    async fn who_does_not_lead_sends_not_a_byte() {
        let (answer, sent) = sent_by(Leadership::none()).await;
        assert!(format!("{:?}", answer.unwrap_err()).contains("NotLeading"));
        assert_eq!(sent, 0);
    }
}
