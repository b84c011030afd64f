//! A small HTTP client: one server, TLS verified, with a limit on time and length.
//!
//! It keeps its connection, so that behind a balanced address it goes on talking to the process that it began with.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::trust;

const TIME_LIMIT: Duration = Duration::from_secs(30);
const LENGTH_LIMIT: usize = 1 << 20;

/// A user with a password.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Sends requests to one server.
pub(super) struct Client {
    host: String,
    port: u16,
    /// Host and port as the server is called.
    authority: String,
    tls: Option<TlsConnector>,
    authorization: Option<String>,
    connection: Option<Connection>,
}

type Connection = SendRequest<Full<Bytes>>;

impl Client {
    /// A client of a server, whose certificate must be signed by an authority of `ca_file` or of the system.
    pub(super) fn new(
        server: &Uri,
        ca_file: Option<&Path>,
        credentials: Option<Credentials>,
    ) -> anyhow::Result<Self> {
        let (default_port, tls) = match server.scheme_str() {
            Some("https") => (443, Some(TlsConnector::from(Arc::new(trust::config(ca_file)?)))),
            Some("http") => (80, None),
            _ => bail!("the server must be written as https://HOST or http://HOST, not as {server}"),
        };
        ensure!(
            server.path() == "/" || server.path().is_empty(),
            "the server must be written without a path"
        );
        let authority = server.authority().ok_or_else(|| anyhow!("{server} has no host"))?;
        let basic = |Credentials { user, password }| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        };
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
            authority: authority.to_string(),
            tls,
            authorization: credentials.map(basic),
            connection: None,
        })
    }

    /// Sends a request with a body of JSON, or without one when it is empty.
    pub(super) async fn send(&mut self, method: Method, path: &str, body: String) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        timeout(TIME_LIMIT, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(anyhow!("no answer within {} seconds", TIME_LIMIT.as_secs())))
            .with_context(|| format!("cannot ask {}", self.authority))
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        let response = connection.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LENGTH_LIMIT).collect().await;
        let body = body.map_err(|error| anyhow!(error).context("the answer broke off"))?.to_bytes();
        // Only a connection without a failure is used again.
        self.connection = Some(connection);
        Ok(Answer { status, body })
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.tls {
            None => speak_http(stream).await,
            Some(connector) => {
                let name = ServerName::try_from(self.host.clone())?;
                speak_http(connector.connect(name, stream).await?).await
            }
        }
    }
}

async fn speak_http<T>(stream: T) -> anyhow::Result<Connection>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends by itself when the sender is dropped, and its errors reach the sender.
    tokio::spawn(connection);
    Ok(sender)
}
