//! Who is at the other end of a connection.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// The other end of the connection that a request came by; an extension of each request that is not answered at once.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: PeerAddress,
    /// Whether the connection is encrypted by this server.
    pub tls: bool,
}

/// Where a connection comes from. It is written as an address and a port, or as `@` for a local process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    /// Another machine, or this one over the network.
    Tcp(SocketAddr),
    /// A process of this machine, by the Unix socket.
    Unix,
}

impl PeerAddress {
    /// The address of a TCP connection. A dual-stack socket reports IPv4 clients by mapped addresses; they become plain.
    pub(super) fn tcp(address: SocketAddr) -> Self {
        Self::Tcp(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// The IP address; `None` for a local process.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("@"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_written_as_what_it_is() {
        let address = PeerAddress::tcp("[::ffff:192.0.2.7]:4711".parse().unwrap());
        assert_eq!(address.to_string(), "192.0.2.7:4711");
        assert_eq!(PeerAddress::Unix.to_string(), "@");
    }
}
