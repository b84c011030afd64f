//! The listening socket: taking the address, and accepting connections whatever happens.

use std::{
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::net;
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{peer::PeerAddress, unix_socket::UnixSocket};
use crate::config::{Address, Listen};

/// How long to wait for file descriptors or memory to become free again.
const BACK_OFF: Duration = Duration::from_millis(200);

/// How often the log tells of a shortage that goes on.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// How many clients may wait to be accepted: as many as the kernel lets (`net.core.somaxconn`), as servers in Go have it. Tokio asks for
/// 128. The kernel passes over whoever comes while so many wait, and lets them try again after a second, or several: that is how long
/// nodes would wait that all pull a new image at the same moment.
const QUEUE: i32 = i32::MAX;

/// What Linux answers where the kernel has no IPv6; where it is switched off, the address is not available.
const EAFNOSUPPORT: i32 = 97;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAddress {
    /// An address of this machine and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl LocalAddress {
    /// The TCP port; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener(Socket);

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

impl Listener {
    /// Takes the address. Without a host that is every address of IPv6 and IPv4, or of IPv4 alone where there is no
    /// IPv6.
    pub(super) async fn bind(listen: &Listen) -> io::Result<Self> {
        let socket = match listen {
            Listen::Tcp(address) => Socket::Tcp(with_long_queue(bind_tcp(address).await?)?),
            Listen::Unix(path) => Socket::Unix(UnixSocket::bind(path)?),
        };
        Ok(Self(socket))
    }

    /// The address that was taken.
    pub(super) fn address(&self) -> io::Result<LocalAddress> {
        match &self.0 {
            Socket::Tcp(listener) => listener.local_addr().map(LocalAddress::Tcp),
            Socket::Unix(socket) => Ok(LocalAddress::Unix(socket.path().to_owned())),
        }
    }

    async fn accept(&self) -> io::Result<Stream> {
        match &self.0 {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(Stream::Tcp(stream, PeerAddress::tcp(address)))
            }
            Socket::Unix(socket) => socket.accept().await.map(Stream::Unix),
        }
    }
}

async fn bind_tcp(address: &Address) -> io::Result<TcpListener> {
    match &address.host {
        Some(host) => TcpListener::bind((host.as_str(), address.port)).await,
        None => match TcpListener::bind(("::", address.port)).await {
            Err(error) if lacks_ipv6(&error) => TcpListener::bind(("0.0.0.0", address.port)).await,
            result => result,
        },
    }
}

/// Lets more clients wait. Linux takes a second `listen` for the new length of the queue.
fn with_long_queue(listener: TcpListener) -> io::Result<TcpListener> {
    net::listen(&listener, QUEUE)?;
    Ok(listener)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream, PeerAddress),
    Unix(UnixStream),
}

/// One of the connections that there may be at a time; free again when it is dropped.
pub(super) type Slot = OwnedSemaphorePermit;

/// Accepts connections, as many at a time as there may be.
#[derive(Debug)]
pub(super) struct Entrance {
    listener: Listener,
    slots: Arc<Semaphore>,
    told: Option<Instant>,
}

impl Entrance {
    /// Lets in this many connections at a time.
    pub(super) fn new(listener: Listener, connections: usize) -> Self {
        Self { listener, slots: Arc::new(Semaphore::new(connections)), told: None }
    }

    /// Waits for the next connection. `None` if the listener can never accept another, which does not happen.
    pub(super) async fn next(&mut self) -> Option<(Stream, Slot)> {
        if self.slots.available_permits() == 0 {
            self.tell("as many connections as there may be: others wait until one ends");
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        loop {
            match self.listener.accept().await {
                Ok(stream) => return Some((stream, slot)),
                Err(error) if concerns_one_client(&error) => {}
                Err(error) => {
                    self.tell(&format!("cannot accept connections at the moment: {error}"));
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    /// Tells the log of a shortage, but not for each connection that it concerns.
    fn tell(&mut self, shortage: &str) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            self.told = Some(Instant::now());
            tracing::error!("{shortage}");
        }
    }
}

/// Whether a client gave up before it was accepted; everything else is this machine's shortage.
fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// How many may wait at most, by the settings of this machine.
    fn longest_queue() -> usize {
        fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap()
    }

    #[tokio::test]
    async fn many_connect_at_the_same_moment_and_nobody_is_passed_over() {
        let address = Address { host: Some("127.0.0.1".to_owned()), port: 0 };
        let listener = Listener::bind(&Listen::Tcp(address)).await.unwrap();
        let LocalAddress::Tcp(address) = listener.address().unwrap() else { panic!("a TCP address") };
        let connect_all = async {
            let mut clients = Vec::new();
            for _ in 0..longest_queue().min(256) {
                clients.push(TcpStream::connect(address).await.unwrap());
            }
            clients
        };
        // Nobody accepts them: one that is passed over tries in vain until the time is over.
        tokio::time::timeout(Duration::from_mins(1), connect_all).await.unwrap();
    }
}
