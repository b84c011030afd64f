//! How requests travel: a pool of connections that are kept, to a registry and to where it sends on.
//!
//! HTTP/1.1 only: each of many large bodies then has a connection, and a window, of its own.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use berth_storage::{ByteStream, while_it_moves};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, Uri,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONTENT_LENGTH, HeaderValue, USER_AGENT},
    http::uri::{Authority, Scheme},
};
use hyper_rustls::{DefaultServerNameResolver, HttpsConnector, HttpsConnectorBuilder, ResolveServerName};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::sync::Notify;

use super::{Error, Result, Settings, address::Address, silence::watched};
use crate::http_client::{Authorities, Untrusted, config_with_system};

/// How long it may take until a connection is there.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection without a request is kept. Load balancers close theirs after a minute.
const IDLE_LIMIT: Duration = Duration::from_secs(50);

/// How many such connections to a server are kept.
const IDLE_CONNECTIONS: usize = 64;

/// By which name servers know this program.
const NAME: &str = concat!("berth-registry/", env!("CARGO_PKG_VERSION"));

/// What a request carries.
pub(super) enum Content {
    Nothing,
    Bytes(Bytes),
    /// What streams by, and can be sent once. Without a length, it is sent in chunks.
    Stream(Option<u64>, ByteStream),
}

/// Connections to servers.
#[derive(Debug)]
pub(super) struct Connections {
    client: Client<HttpsConnector<HttpConnector>, Sent>,
    silence: Duration,
}

impl Connections {
    pub(super) fn new(address: &Address, settings: &Settings) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let trust = trust(settings.authorities.as_ref(), address.is_https());
        let trust = trust.map_err(|error| Error::Trust(Arc::new(error)))?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust)
            .https_or_http()
            .with_server_name_resolver(Names { address: address.clone(), name: settings.server_name.clone() })
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Ok(Self { client, silence: settings.silence })
    }

    /// How long a server may be silent.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// Sends a request, and waits for the beginning of the answer.
    pub(super) async fn send(
        &self,
        method: &Method,
        uri: &Uri,
        headers: HeaderMap,
        content: Content,
    ) -> Result<Response<Incoming>> {
        let server = server(uri);
        let moved = Arc::new(Notify::new());
        let mut request = Request::new(Sent::new(content, &moved));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(NAME));
        // Where a body is usual, some proxies want to know that there is none.
        let nothing = (request.body().is_end_stream() && !is_read(method)).then_some(0);
        if let Some(length) = request.body().length.or(nothing) {
            request.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        let unavailable = |reason: String, source| Error::Unavailable { server, reason, source };
        match while_it_moves(self.silence, &moved, self.client.request(request)).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => {
                let reason = if error.is_connect() { "cannot be reached" } else { "broke the exchange off" };
                // What it says of itself is that it is an error of the client; what is behind says which one.
                let source = error.source().and_then(|source| source.source()).map(ToString::to_string);
                let cause: Box<dyn StdError + Send + Sync> = source.map_or(error.into(), Into::into);
                Err(unavailable(reason.to_owned(), Some(cause.into())))
            }
            None => Err(unavailable(format!("has not answered within {:?}", self.silence), None)),
        }
    }
}

/// Which name a certificate has to have.
#[derive(Debug)]
struct Names {
    address: Address,
    /// The one in the registry's own.
    name: Option<ServerName<'static>>,
}

impl ResolveServerName for Names {
    fn resolve(
        &self,
        uri: &Uri,
    ) -> std::result::Result<ServerName<'static>, Box<dyn StdError + Send + Sync>> {
        match &self.name {
            Some(name) if self.address.is_origin_of(uri) => Ok(name.clone()),
            _ => DefaultServerNameResolver::default().resolve(uri),
        }
    }
}

/// Whom to trust. A registry without TLS is reached also where there are no authorities.
fn trust(others: Option<&Authorities>, is_https: bool) -> std::result::Result<ClientConfig, Untrusted> {
    match config_with_system(others) {
        Err(Untrusted::NoAuthorities) if !is_https => {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| Untrusted::Tls(error.into()))?;
            Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        }
        config => config,
    }
}

/// Host and port.
pub(super) fn server(uri: &Uri) -> Authority {
    let unnamed = || Authority::from_static("unnamed-server");
    // What stands before the host could be a password.
    let host = uri.authority().map(|it| it.as_str().rsplit('@').next().unwrap_or_default());
    host.and_then(|host| host.parse().ok()).unwrap_or_else(unnamed)
}

/// Whether a request changes nothing, and has no body.
pub(super) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether the URI begins with `https:`.
pub(super) fn is_https(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

/// A body that is sent.
#[derive(Debug)]
struct Sent {
    length: Option<u64>,
    body: UnsyncBoxBody<Bytes, std::io::Error>,
}

impl Sent {
    fn new(content: Content, moved: &Arc<Notify>) -> Self {
        match content {
            Content::Nothing => Self { length: None, body: without_failure(Empty::new()) },
            Content::Bytes(bytes) => {
                Self { length: Some(bytes.len() as u64), body: without_failure(Full::new(bytes)) }
            }
            Content::Stream(length, stream) => {
                let frames = watched(stream, Arc::clone(moved)).map_ok(Frame::data);
                Self { length, body: UnsyncBoxBody::new(StreamBody::new(frames)) }
            }
        }
    }
}

fn without_failure<B>(body: B) -> UnsyncBoxBody<Bytes, std::io::Error>
where
    B: Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    UnsyncBoxBody::new(body.map_err(|never| match never {}))
}

impl Body for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<std::io::Result<Frame<Bytes>>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
