//! A small HTTP client: one server, TLS verified, with a limit on time and length.
//!
//! It keeps its connection, so that behind a balanced address it goes on talking to the process that it began with.
//! Asking again after a failure is left to the caller.

mod trust;

use std::{error::Error as StdError, io, path::Path, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, HOST, HeaderValue, InvalidHeaderValue},
    http::uri::Authority,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

pub use trust::Authorities;
pub use trust::Untrusted;
pub(crate) use trust::config_with_system;

/// How long a request may take when the caller says nothing else.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const LENGTH_LIMIT: usize = 1 << 20;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one of a server.
    #[error("the server must be written as https://HOST or http://HOST, not as {0}")]
    Address(Uri),
    /// A user name or password cannot stand in a header.
    #[error("the credentials cannot be sent")]
    Credentials(#[from] InvalidHeaderValue),
    /// It cannot be decided whom to trust.
    #[error(transparent)]
    Trust(#[from] Untrusted),
    /// No answer came in time.
    #[error("no answer from {server} within {limit:?}")]
    Late {
        /// Host and port.
        server: Authority,
        /// How long it was waited.
        limit: Duration,
    },
    /// There is no connection to the server.
    #[error("cannot connect to {server}")]
    Connect {
        /// Host and port.
        server: Authority,
        /// What the system, or the TLS library, said.
        source: io::Error,
    },
    /// The request or the answer broke off.
    #[error("the exchange with {server} broke off")]
    Broken {
        /// Host and port.
        server: Authority,
        /// What happened.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The whole body.
    pub body: Bytes,
}

/// Sends requests to one server.
pub struct Client {
    /// Host and port as the server is called.
    server: Authority,
    default_port: u16,
    tls: Option<TlsConnector>,
    /// The name in the certificate, where it is another than the host's.
    server_name: Option<ServerName<'static>>,
    authorization: Option<HeaderValue>,
    time_limit: Duration,
    connection: Option<Connection>,
}

type Connection = SendRequest<Full<Bytes>>;

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The credentials stay out.
        f.debug_struct("Client").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server in `address`, whose certificate must be signed by an authority of `ca_file` or of the
    /// system. The path of the address is not looked at.
    pub fn new(address: &Uri, ca_file: Option<&Path>) -> Result<Self, Error> {
        let (default_port, tls) = match address.scheme_str() {
            Some("https") => (443, Some(TlsConnector::from(Arc::new(trust::config(ca_file)?)))),
            Some("http") => (80, None),
            _ => return Err(Error::Address(address.clone())),
        };
        let server = address.authority().ok_or_else(|| Error::Address(address.clone()))?.clone();
        Ok(Self {
            server,
            default_port,
            tls,
            server_name: None,
            authorization: None,
            time_limit: TIME_LIMIT,
            connection: None,
        })
    }

    /// Expects a certificate for this name, and not for the host of the address.
    pub fn with_server_name(self, name: ServerName<'static>) -> Self {
        Self { server_name: Some(name), ..self }
    }

    /// Sends these credentials with each request.
    pub fn with_credentials(self, user: &str, password: &str) -> Result<Self, Error> {
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let mut authorization = HeaderValue::try_from(basic)?;
        authorization.set_sensitive(true);
        Ok(Self { authorization: Some(authorization), ..self })
    }

    /// Waits at most this long for the answer to a request.
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Sends a request, whose URI is a path with or without a query.
    pub async fn send(&mut self, mut request: Request<Bytes>) -> Result<Answer, Error> {
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(self.server.as_str())?);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let limit = self.time_limit;
        match timeout(limit, self.exchange(request.map(Full::new))).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Late { server: self.server.clone(), limit }),
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self.connect().await?,
        };
        let response = connection.send_request(request).await.map_err(|error| self.broken(error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LENGTH_LIMIT).collect().await;
        let body = body.map_err(|error| self.broken(error))?.to_bytes();
        // Only a connection without a failure is used again.
        self.connection = Some(connection);
        Ok(Answer { status, body })
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let host = self.server.host().trim_matches(['[', ']']);
        let port = self.server.port_u16().unwrap_or(self.default_port);
        let failed = |source| Error::Connect { server: self.server.clone(), source };
        let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
        match &self.tls {
            None => self.speak_http(stream).await,
            Some(connector) => {
                let name = match &self.server_name {
                    Some(name) => name.clone(),
                    None => ServerName::try_from(host.to_owned()).map_err(|error| self.broken(error))?,
                };
                self.speak_http(connector.connect(name, stream).await.map_err(failed)?).await
            }
        }
    }

    async fn speak_http<T>(&self, stream: T) -> Result<Connection, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        // It ends by itself when the sender is dropped, and its errors reach the sender.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn broken(&self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Broken { server: self.server.clone(), source: source.into() }
    }
}
