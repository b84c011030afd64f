//! The listener: connections, TLS, time limits, and an orderly end. What is answered is left to the service.
//!
//! No limit is set on how long a request may take, because a layer may be large and a line slow; limits are set on
//! how long nothing may happen.

mod activity;
mod arrival;
mod connection;
mod drain;
mod files;
mod limits;
mod lingering;
mod listener;
mod peer;
mod protocol;
mod rest;
mod seldom;
mod stall;
mod tls;
mod transport;
mod unix_socket;
mod unwanted;
mod wrong_port;

use std::{error::Error as StdError, io, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use hyper::{Request, Response, body::Body};

pub use arrival::Arrival;
pub use files::Files;
pub use limits::{Limits, open_files};
pub use listener::LocalAddress;
pub use peer::{Peer, PeerAddress};
pub use rest::Rest;
pub use stall::RequestBody;
pub use tls::TlsFiles;

use crate::{
    config::{Debug, Http, Listen},
    reloading::LoadError,
};
use connection::Connections;
use drain::Drain;
use listener::{Entrance, Listener};
use protocol::Protocols;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, not ours, or may not be used.
    #[error("cannot listen on {address}; set {key} to {}", free(.address))]
    Listen {
        /// The key of the configuration that sets the address.
        key: &'static str,
        /// The configured address.
        address: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate, its key, or an authority of clients cannot be used.
    #[error(transparent)]
    Certificate(#[from] LoadError),
}

fn free(address: &Listen) -> &'static str {
    match address {
        Listen::Tcp(_) => "a free address of this machine",
        Listen::Unix(_) => "a path where this server may make a socket and nothing else is",
    }
}

/// What answers the requests that come to a server.
pub trait HttpService: Clone + Send + Sync + 'static {
    /// The bodies of its answers.
    type Body: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + Unpin + 'static;

    /// Answers a request, whatever becomes of it.
    fn answer(
        &self,
        request: Request<RequestBody>,
        arrival: Arrival<'_>,
    ) -> impl Future<Output = Response<Self::Body>> + Send + use<Self>;
}

/// A listening socket that does not accept connections yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    tls: Option<Arc<TlsFiles>>,
    h2c: bool,
    drain_delay: Duration,
    drain_timeout: Duration,
    limits: Limits,
    rest: Rest,
}

impl Server {
    /// Takes the address and reads the files of TLS.
    pub async fn bind(http: &Http) -> Result<Self, Error> {
        let tls = http.tls.as_ref().map(|tls| tls::open(tls, http.http2)).transpose()?.map(Arc::new);
        let listener = listen("http.addr", &http.listen).await?;
        let limits = Limits::of_this_process();
        let Http { h2c, drain_delay, drain_timeout, .. } = *http;
        Ok(Self { listener, tls, h2c, drain_delay, drain_timeout, limits, rest: Rest::default() })
    }

    /// With other limits.
    pub fn with_limits(self, limits: impl FnOnce(Limits) -> Limits) -> Self {
        Self { limits: limits(self.limits), ..self }
    }

    /// Takes the debug address, where plain HTTP is spoken.
    pub async fn bind_debug(debug: &Debug) -> Result<Self, Error> {
        let listener = listen("http.debug.addr", &Listen::Tcp(debug.address.clone())).await?;
        let limits = Limits::of_this_process();
        let (drain_delay, drain_timeout) = (Duration::ZERO, Duration::ZERO);
        Ok(Self {
            listener,
            tls: None,
            h2c: false,
            drain_delay,
            drain_timeout,
            limits,
            rest: Rest::default(),
        })
    }

    /// The address that was taken.
    pub fn address(&self) -> io::Result<LocalAddress> {
        self.listener.address()
    }

    /// The files of TLS, which somebody has to keep fresh; `None` for plain HTTP.
    pub fn tls_files(&self) -> Option<Arc<TlsFiles>> {
        self.tls.clone()
    }

    /// When nobody is connected to it.
    pub fn rest(&self) -> Rest {
        self.rest.clone()
    }

    /// Serves until the first signal and the drain delay after it, then lets requests in flight finish: until they are done,
    /// until the drain timeout, or until another signal. A signal in the delay ends that.
    pub async fn run(self, service: impl HttpService, signals: impl Stream<Item = ()>) {
        let protocols = Protocols::new(self.h2c);
        let connections = Arc::new(Connections::new(self.tls, protocols, self.limits, self.rest, service));
        let mut entrance = Entrance::new(self.listener, self.limits.connections);
        let drain = Drain::new();
        let mut signals = std::pin::pin!(signals);
        let mut admit = async || {
            while let Some((stream, slot)) = entrance.next().await {
                Arc::clone(&connections).start(stream, slot, drain.watch());
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = admit() => {}
            _ = signals.next() => {}
        }
        // Whoever balances the load learns of the end at this moment, and sends connections a while longer.
        if !self.drain_delay.is_zero() {
            tokio::select! {
                () = admit() => {}
                () = tokio::time::sleep(self.drain_delay) => {}
                _ = signals.next() => {}
            }
        }
        // From here on, new connections are refused by the system.
        drop(entrance);
        drain.finish(self.drain_timeout, signals).await;
    }
}

/// Takes the address that a key of the configuration sets.
async fn listen(key: &'static str, address: &Listen) -> Result<Listener, Error> {
    let taken = Listener::bind(address).await;
    taken.map_err(|source| Error::Listen { key, address: address.clone(), source })
}
