//! The end of a connection on which a client is still sending: it is read from for a moment, unseen.
//!
//! Were it closed at once, the system would answer the next bytes with a reset, and the client would lose the answer
//! that says why nobody wants them: that the disk is full, or the password wrong.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::activity::Activity;

/// How long a client has to read its answer and to stop sending.
const LINGER: Duration = Duration::from_secs(2);

/// A connection that is closed in this way.
#[derive(Debug)]
pub(super) struct Lingering<T> {
    stream: T,
    activity: Arc<Activity>,
    /// Runs once this direction is closed.
    rest: Option<Pin<Box<Sleep>>>,
}

impl<T> Lingering<T> {
    pub(super) fn new(stream: T, activity: Arc<Activity>) -> Self {
        Self { stream, activity, rest: None }
    }
}

impl<T: AsyncRead + Unpin> Lingering<T> {
    /// Reads until the client has closed its direction, or has sent nothing and is not expected to.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut room = [MaybeUninit::uninit(); 8192];
            let mut buffer = ReadBuf::uninit(&mut room);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.activity.leave_unread(),
                Poll::Pending if self.activity.has_unread() => return Poll::Pending,
                Poll::Ready(_) | Poll::Pending => return Poll::Ready(()),
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.rest.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.rest = Some(Box::pin(sleep(LINGER)));
        }
        if self.poll_rest(context).is_pending()
            && let Some(rest) = &mut self.rest
        {
            // Whoever goes on sending for so long does not read.
            ready!(rest.as_mut().poll(context));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_still_sending_is_read_from_until_it_stops() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let activity = Arc::new(Activity::default());
        activity.leave_unread();
        let mut ours = Lingering::new(ours, activity);
        let client = async {
            theirs.write_all(&[0; 1000]).await.unwrap();
            theirs.read_to_end(&mut Vec::new()).await.unwrap();
            drop(theirs);
        };
        tokio::join!(client, async { ours.shutdown().await.unwrap() });
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_stops_is_not_read_from_for_ever() {
        let (ours, _theirs) = tokio::io::duplex(8);
        let activity = Arc::new(Activity::default());
        activity.leave_unread();
        Lingering::new(ours, activity).shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_sends_nothing_is_not_waited_for() {
        let (ours, _theirs) = tokio::io::duplex(8);
        let mut ours = Lingering::new(ours, Arc::new(Activity::default()));
        let shut = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut ours).poll_shutdown(context)));
        assert!(shut.await.is_ready());
    }
}
