//! The listening socket: taking the address, and accepting connections whatever happens.

use std::{io, net::SocketAddr, time::Duration};

use tokio::net::{TcpListener, TcpStream};

use crate::config::{Address, Listen};

/// How long to wait for file descriptors or memory to become free again.
const BACK_OFF: Duration = Duration::from_millis(200);

/// What Linux answers where the kernel has no IPv6; where it is switched off, the address is not available.
const EAFNOSUPPORT: i32 = 97;

/// Takes an address. Without a host that is every address of IPv6 and IPv4, or of IPv4 alone where there is no IPv6.
pub(super) async fn bind(listen: &Listen) -> io::Result<TcpListener> {
    match listen {
        Listen::Tcp(address) => bind_tcp(address).await,
        Listen::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
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

fn lacks_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// Waits for the next connection.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(connection) => return connection,
            Err(error) if concerns_one_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections at the moment");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// Whether a client gave up before it was accepted; everything else is this machine's shortage.
fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
