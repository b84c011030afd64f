//! What a connection is made of before anything is spoken on it: a TCP stream or a Unix stream.

use std::{future::Future, io};

use rustix::net::{RecvFlags, recv};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::{TcpStream, UnixStream},
};

use super::files::{FileStream, Files};

/// Bytes in both directions; all that HTTP needs to know of a connection.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection as it was accepted.
pub(super) trait Transport: Duplex + 'static {
    /// Waits for the first byte and leaves it where it is; `None` when the client has closed the connection.
    fn first_byte(&self) -> impl Future<Output = io::Result<Option<u8>>> + Send;

    /// Answers small writes at once: a manifest must not wait for the acknowledgement of its headers.
    fn send_at_once(&self);

    /// What plain HTTP is spoken on, and where its answers leave pieces of files, if the system can send them from here.
    fn with_files(self) -> (Box<dyn Duplex>, Option<Files>);
}

impl Transport for TcpStream {
    async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        Ok((self.peek(&mut first).await? == 1).then_some(first[0]))
    }

    fn send_at_once(&self) {
        if let Err(error) = self.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps delaying small writes");
        }
    }

    fn with_files(self) -> (Box<dyn Duplex>, Option<Files>) {
        let files = Files::default();
        (Box::new(FileStream::new(self, files.clone())), Some(files))
    }
}

impl Transport for UnixStream {
    async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let peek = || recv(self, &mut first, RecvFlags::PEEK).map_err(io::Error::from);
        let (_, length) = self.async_io(Interest::READABLE, peek).await?;
        Ok((length == 1).then_some(first[0]))
    }

    /// A Unix socket delays nothing.
    fn send_at_once(&self) {}

    fn with_files(self) -> (Box<dyn Duplex>, Option<Files>) {
        (Box::new(self), None)
    }
}
