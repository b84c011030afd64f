//! The listener: connections, TLS, time limits, and an orderly end. What is answered is left to the service.
//!
//! No limit is set on how long a request may take, because a layer may be large and a line slow; limits are set on
//! how long nothing may happen.

mod connection;
mod listener;
mod stall;
mod tls;

use std::{convert::Infallible, error::Error as StdError, io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use hyper::{Request, Response, body::Body};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

pub use stall::RequestBody;
pub use tls::Certificate;

use crate::{
    config::{Http, Listen},
    reloading::LoadError,
};

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, not ours, or may not be used.
    #[error("cannot listen on {address}; set http.addr to a free address of this machine")]
    Listen {
        /// The configured address.
        address: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key cannot be read.
    #[error(transparent)]
    Certificate(#[from] LoadError),
    /// The TLS library refused the settings.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// The other end of the connection that a request came by; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether the connection is encrypted by this server.
    pub tls: bool,
}

/// A service that the server can call for each request.
pub trait HttpService<B>:
    Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<B, S> HttpService<B> for S where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// A listening socket that does not accept connections yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    drain_timeout: Duration,
}

impl Server {
    /// Takes the address and reads the certificate.
    pub async fn bind(http: &Http) -> Result<Self, Error> {
        let certificate = http.tls.as_ref().map(Certificate::open).transpose()?.map(Arc::new);
        let listener = listener::bind(&http.listen)
            .await
            .map_err(|source| Error::Listen { address: http.listen.clone(), source })?;
        Ok(Self { listener, certificate, drain_timeout: http.drain_timeout })
    }

    /// The address that was taken.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The certificate, which somebody has to keep fresh; `None` for plain HTTP.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    /// Serves until the first signal, then lets requests in flight finish: until they are done, until the drain
    /// timeout, or until the second signal.
    pub async fn run<S, B>(self, service: S, signals: impl Stream<Item = ()>) -> Result<(), Error>
    where
        S: HttpService<B>,
        B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
    {
        let acceptor = self.certificate.as_ref().map(|certificate| certificate.acceptor()).transpose();
        let connections = connection::Connections { acceptor: acceptor.map_err(Error::Tls)?, service };
        let graceful = GracefulShutdown::new();
        let mut signals = std::pin::pin!(signals);
        loop {
            tokio::select! {
                (stream, peer) = listener::accept(&self.listener) => {
                    connections.start(stream, peer, graceful.watcher());
                }
                _ = signals.next() => break,
            }
        }
        // From here on, new connections are refused by the system.
        drop(self.listener);
        drain(graceful, self.drain_timeout, signals).await;
        Ok(())
    }
}

async fn drain(graceful: GracefulShutdown, timeout: Duration, mut signals: impl Stream<Item = ()> + Unpin) {
    tracing::info!(connections = graceful.count(), "stopping: requests in flight may finish");
    tokio::select! {
        () = graceful.shutdown() => tracing::info!("stopped"),
        () = tokio::time::sleep(timeout) => tracing::warn!("stopped with requests in flight: http.draintimeout is over"),
        _ = signals.next() => tracing::warn!("stopped with requests in flight: a second signal came"),
    }
}

/// Answers small writes at once: a manifest must not wait for the acknowledgement of its headers.
fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps delaying small writes");
    }
}
