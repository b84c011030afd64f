//! One way of reading and writing connections with TLS and without. Bodies that nobody looks at are not even copied.

use anyhow::Result;
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;

/// Which certificates are trusted.
#[derive(Debug, Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Those that a file holds.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }

    fn greet(&self, socket: &mut TcpStream) -> Result<ClientConnection> {
        let mut tls = ClientConnection::new(Arc::clone(&self.0), ServerName::try_from("localhost")?)?;
        while tls.is_handshaking() {
            tls.complete_io(socket)?;
        }
        Ok(tls)
    }
}

/// A connection that never waits.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(TcpStream, Box<ClientConnection>),
}

impl Stream {
    pub(super) fn connect(port: u16, trust: Option<&Trust>) -> Result<Self> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nodelay(true)?;
        let tls = trust.map(|trust| trust.greet(&mut socket)).transpose()?;
        socket.set_nonblocking(true)?;
        Ok(match tls {
            None => Self::Plain(socket),
            Some(tls) => Self::Tls(socket, Box::new(tls)),
        })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) | Self::Tls(socket, _) => socket,
        }
    }

    /// Sends a request, which is small enough for the buffer of any socket.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(socket, tls) => {
                tls.writer().write_all(bytes)?;
                while tls.wants_write() {
                    tls.write_tls(socket)?;
                }
                Ok(())
            }
        }
    }

    /// Takes what has come from the socket, once, when that may be read.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        let Self::Tls(socket, tls) = self else { return Ok(()) };
        if tls.read_tls(socket)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        tls.process_new_packets().map(drop).map_err(io::Error::other)
    }

    /// Whether there may be more that the socket does not tell of.
    pub(super) fn may_hold_more(&self) -> bool {
        matches!(self, Self::Tls(..))
    }

    /// Reads what is there; `None` when that is nothing.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let received = match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(_, tls) => tls.reader().read(buffer),
        };
        read(received)
    }

    /// The same for bytes that nobody looks at: the kernel need not copy them.
    pub(super) fn discard(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Plain(socket) => {
                let received = recv(&*socket, buffer, RecvFlags::TRUNC | RecvFlags::DONTWAIT);
                read(received.map(|(_, length)| length).map_err(io::Error::from))
            }
            Self::Tls(..) => self.receive(buffer),
        }
    }
}

fn read(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
