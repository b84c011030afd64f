//! Limits on how long nothing may happen: a client that stops sending or stops reading is let go.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::unwanted::Unwanted;

/// Runs while something is awaited, and starts anew whenever something happens.
#[derive(Debug)]
struct Patience {
    /// Made when something is awaited for the first time, which most bodies never are.
    sleep: Option<Pin<Box<Sleep>>>,
    limit: Duration,
    waiting: bool,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { sleep: None, limit, waiting: false }
    }

    /// Passes a result on; an error takes its place if it has been pending for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, poll: Poll<T>) -> Poll<Result<T, io::Error>> {
        if let Poll::Ready(value) = poll {
            self.waiting = false;
            return Poll::Ready(Ok(value));
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        if !self.waiting {
            self.waiting = true;
            sleep.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client has stalled")))
    }
}

/// The body of a request, which fails when the client stops sending.
#[derive(Debug)]
pub struct RequestBody {
    /// `None` once it has ended.
    incoming: Option<Incoming>,
    patience: Patience,
    unwanted: Unwanted,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, limit: Duration, unwanted: Unwanted) -> Self {
        Self { incoming: Some(incoming), patience: Patience::new(limit), unwanted }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(rest) = self.incoming.take().filter(|incoming| !incoming.is_end_stream()) {
            self.unwanted.leave(rest);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = Pin::new(incoming).poll_frame(context);
        match ready!(self.patience.watch(context, frame)) {
            Ok(Some(frame)) => Poll::Ready(Some(frame.map_err(io::Error::other))),
            Ok(None) => {
                self.incoming = None;
                Poll::Ready(None)
            }
            Err(stalled) => Poll::Ready(Some(Err(stalled))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A connection whose writes fail when the client stops reading.
#[derive(Debug)]
pub(super) struct StallGuard<T> {
    stream: T,
    patience: Patience,
}

impl<T> StallGuard<T> {
    pub(super) fn new(stream: T, limit: Duration) -> Self {
        Self { stream, patience: Patience::new(limit) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StallGuard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StallGuard<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patience.watch(context, written).map(Result::flatten)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.patience.watch(context, written).map(Result::flatten)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.patience.watch(context, flushed).map(Result::flatten)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.patience.watch(context, shut).map(Result::flatten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_write_that_nobody_reads_fails() {
        let (ours, _theirs) = tokio::io::duplex(8);
        let mut guarded = StallGuard::new(ours, Duration::from_millis(10));
        let error = guarded.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_write_that_is_read_succeeds() {
        let (ours, theirs) = tokio::io::duplex(64);
        let mut guarded = StallGuard::new(ours, Duration::from_millis(10));
        guarded.write_all(&[0; 64]).await.unwrap();
        drop(theirs);
    }
}
