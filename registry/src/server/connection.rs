//! One connection: handshake if there is a certificate, then HTTP/1.1 or HTTP/2 until its end.

use std::{error::Error as StdError, io, net::SocketAddr, time::Duration};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::{
    HttpService, Peer, send_at_once,
    stall::{RequestBody, STALL_LIMIT, StallGuard},
};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long a client may take for the head of a request; it also ends connections that nobody uses.
const HEADER_LIMIT: Duration = Duration::from_secs(90);

/// How often an HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How much of a body an HTTP/2 client may send ahead: enough for a fast line, and bounded in memory.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

const USE_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\nContent-Length: 59\r\n\r\nThis port speaks HTTPS: begin the address with https://...\n";

/// What all connections share.
pub(super) struct Connections<S> {
    pub(super) acceptor: Option<TlsAcceptor>,
    pub(super) service: S,
}

impl<S> Connections<S> {
    /// Serves a connection in a task of its own.
    pub(super) fn start<B>(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher)
    where
        S: HttpService<B>,
        B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
    {
        send_at_once(&stream);
        let service = self.service.clone();
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            // A dual-stack socket reports IPv4 clients by mapped addresses.
            let address = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            let peer = Peer { address, tls: acceptor.is_some() };
            let result = match acceptor {
                None => serve(stream, peer, service, watcher).await,
                Some(acceptor) => match handshake(stream, &acceptor).await {
                    Ok(Some(stream)) => serve(stream, peer, service, watcher).await,
                    Ok(None) => Ok(()),
                    Err(error) => Err(error.into()),
                },
            };
            if let Err(error) = result {
                tracing::debug!(remote = %peer.address, error = &*error as &dyn StdError, "a connection failed");
            }
        });
    }
}

/// Performs the handshake; a client that speaks plain HTTP is told so, and `None` is returned.
async fn handshake(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> io::Result<Option<tokio_rustls::server::TlsStream<TcpStream>>> {
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
            tell_to_use_https(&mut stream).await?;
            return Ok(None);
        }
        acceptor.accept(stream).await.map(Some)
    };
    timeout(HANDSHAKE_LIMIT, handshake).await?
}

async fn tell_to_use_https(stream: &mut TcpStream) -> io::Result<()> {
    // Unread bytes would make the system reset the connection before the client has read the answer.
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    stream.write_all(USE_HTTPS).await?;
    stream.shutdown().await
}

async fn serve<T, S, B>(
    stream: T,
    peer: Peer,
    service: S,
    watcher: Watcher,
) -> Result<(), Box<dyn StdError + Send + Sync>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<B>,
    B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    let answer = service_fn(move |request: Request<Incoming>| answer(service.clone(), request, peer));
    let stream = TokioIo::new(StallGuard::new(stream, STALL_LIMIT));
    let builder = builder();
    watcher.watch(builder.serve_connection(stream, answer).into_owned()).await
}

async fn answer<S, B>(
    service: S,
    request: Request<Incoming>,
    peer: Peer,
) -> Result<Response<B>, std::convert::Infallible>
where
    S: HttpService<B>,
{
    let mut request = request.map(RequestBody::new);
    request.extensions_mut().insert(peer);
    service.oneshot(request).await
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        // Scripts look for `Docker-Content-Digest` as registries have always written it.
        .title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}
