//! A server to test, in this process, on a free port of this machine or on a Unix socket.

use std::{net::SocketAddr, path::Path, sync::Arc};

use berth_registry::{
    api::{self, Api},
    auth::Auth,
    config::{self, Config, Options},
    repository::{Registry, Rules},
    server::{Limits, LocalAddress, Server, TlsFiles},
};
use berth_storage::{Filesystem, Memory, ObjectStore};
use futures::channel::mpsc;
use tokio::{net::TcpStream, task::JoinHandle};

use crate::raw::Raw;

/// What is to be started.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) limits: fn(Limits) -> Limits,
    store: Arc<dyn ObjectStore>,
}

impl Setup {
    /// Plain HTTP on a free port, over storage in memory.
    pub(crate) fn new() -> Self {
        Self::configured(&[])
    }

    /// With variables of the environment laid over that.
    pub(crate) fn configured(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = Options { addr: Some("127.0.0.1:0".to_owned()), ..Options::default() };
        let mut config = config::load(None, variables, &options).unwrap().config;
        config.http.h2c = false;
        Self { config, limits: |limits| limits, store: Arc::new(Memory::new()) }
    }

    /// Over files below a folder.
    pub(crate) fn over(self, folder: &Path) -> Self {
        Self { store: Arc::new(Filesystem::new(folder)), ..self }
    }

    /// With other limits of connections.
    pub(crate) fn with_limits(self, limits: fn(Limits) -> Limits) -> Self {
        Self { limits, ..self }
    }

    pub(crate) async fn start(self) -> Running {
        let rules = Rules::default();
        let limit = rules.max_manifest_size;
        let registry = Registry::new(self.store, rules);
        let auth = Auth::open(&self.config).unwrap();
        let api = Api::new(registry, auth, limit, &self.config.http);
        let server = Server::bind(&self.config.http).await.unwrap().with_limits(self.limits);
        let (signals, received) = mpsc::unbounded();
        let (address, tls_files) = (server.address().unwrap(), server.tls_files());
        let end = tokio::spawn(async move { server.run(api::service(api), received).await });
        Running { address, signals, tls_files, end }
    }
}

/// A server that runs until the test ends.
pub(crate) struct Running {
    pub(crate) address: LocalAddress,
    /// Each item is a signal to end.
    pub(crate) signals: mpsc::UnboundedSender<()>,
    pub(crate) tls_files: Option<Arc<TlsFiles>>,
    pub(crate) end: JoinHandle<()>,
}

impl Running {
    pub(crate) fn socket_address(&self) -> SocketAddr {
        match self.address {
            LocalAddress::Tcp(address) => address,
            LocalAddress::Unix(_) => panic!("the server listens on a Unix socket"),
        }
    }

    /// A TCP connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.socket_address()).await.unwrap()
    }

    /// A TCP connection to speak HTTP/1.1 on.
    pub(crate) async fn raw(&self) -> Raw<TcpStream> {
        Raw::new(self.connect().await)
    }
}
