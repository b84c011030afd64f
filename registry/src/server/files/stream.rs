//! A TCP connection that sends pieces of files where their stand-ins are written to it.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use berth_storage::FilePiece;
use rustix::{
    fs::sendfile,
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::{Files, stand_in};

/// A TCP connection, and what it sends from files.
#[derive(Debug)]
pub(in crate::server) struct FileStream {
    stream: TcpStream,
    files: Files,
}

impl FileStream {
    pub(in crate::server) fn new(stream: TcpStream, files: Files) -> Self {
        Self { stream, files }
    }

    /// Writes when there is room.
    fn poll_when_writable(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_io(Interest::WRITABLE, || write(&self.stream)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_send_piece(&self, context: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        let piece = self.files.next(length)?;
        let sent = ready!(self.poll_when_writable(context, |stream| send(stream, &piece)))?;
        self.files.advance(sent);
        Poll::Ready(Ok(sent))
    }
}

/// Sends what the socket has room for.
fn send(stream: &TcpStream, piece: &FilePiece) -> io::Result<usize> {
    let (mut offset, length) = (piece.offset, usize::try_from(piece.length).unwrap_or(usize::MAX));
    match sendfile(stream, &piece.file, Some(&mut offset), length) {
        // The file was cut meanwhile. Nothing else can be sent in its place.
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Err(Errno::INTR) => Err(ErrorKind::WouldBlock.into()),
        sent => Ok(sent?),
    }
}

/// Sends what comes before a piece, so that the first of its bytes go into the same packet.
fn send_with_more(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
    Ok(sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), flags)?)
}

impl AsyncRead for FileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for FileStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices.iter().position(|slice| stand_in::is_one(slice)) {
            None => match slices {
                [bytes] => Pin::new(&mut self.stream).poll_write(context, bytes),
                several => Pin::new(&mut self.stream).poll_write_vectored(context, several),
            },
            Some(0) => self.poll_send_piece(context, slices[0].len()),
            Some(before) => {
                self.poll_when_writable(context, |stream| send_with_more(stream, &slices[..before]))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
