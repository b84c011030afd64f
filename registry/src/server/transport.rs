//! What a connection is made of before anything is spoken on it: a TCP stream or a Unix stream.

use std::{future::Future, io, sync::Arc};

use rustix::net::{RecvFlags, recv};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::{TcpStream, UnixStream},
};

use super::{
    activity::Activity,
    files::{FileStream, Files},
};

/// Bytes in both directions; all that HTTP needs to know of a connection.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What HTTP is spoken on.
pub(super) struct Wire {
    pub(super) stream: Box<dyn Duplex>,
    /// What goes on on it.
    pub(super) activity: Arc<Activity>,
    /// Where answers leave pieces of files, if they can be sent from here.
    pub(super) files: Option<Files>,
}

impl Wire {
    /// One on which there are bytes and nothing else.
    pub(super) fn of_bytes(stream: Box<dyn Duplex>) -> Self {
        Self { stream, activity: Arc::default(), files: None }
    }
}

/// A connection as it was accepted.
pub(super) trait Transport: Duplex + 'static {
    /// Waits for the first byte and leaves it where it is; `None` when the client has closed the connection.
    fn first_byte(&self) -> impl Future<Output = io::Result<Option<u8>>> + Send;

    /// Answers small writes at once: a manifest must not wait for the acknowledgement of its headers.
    fn send_at_once(&self);

    /// What plain HTTP is spoken on.
    fn into_wire(self) -> Wire;
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

    fn into_wire(self) -> Wire {
        let activity = Arc::default();
        let files = Files::of(&activity);
        Wire { stream: Box::new(FileStream::new(self, files.clone())), activity, files: Some(files) }
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

    fn into_wire(self) -> Wire {
        Wire::of_bytes(Box::new(self))
    }
}
