//! Whether this server works on anything for a connection. One that only waits for its client ends after a while.
//!
//! HTTP/1.1 needs this between requests, and HTTP/2 also in the middle of an answer: there, a client that goes on
//! answering pings can hold a stream open without ever taking the next byte of it.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};

use super::files::{Chunk, Files};

/// What goes on on a connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// How many requests wait for this server rather than for their client.
    working: AtomicUsize,
    /// Counts every beginning and every end of such work, and what clients take of long pieces in between.
    changes: AtomicU64,
    /// The last request was answered without a look at all of its body.
    unread: AtomicBool,
}

impl Activity {
    /// Begins to work on a request.
    pub(super) fn begin(self: &Arc<Self>) -> Work {
        self.unread.store(false, Ordering::Release);
        let mut work = Work { activity: Arc::clone(self), resting: true };
        work.resume();
        work
    }

    /// Takes notice that the client has taken a part of what it is to take.
    pub(super) fn note_progress(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes notice that the client has sent, or will send, what nobody reads.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Release);
    }

    /// Whether the client sends what nobody reads.
    pub(super) fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Acquire)
    }

    /// Returns when there was nothing to work on, and nothing began, from one look to the next.
    pub(super) async fn idle(&self, step: Duration) {
        loop {
            let before = self.changes.load(Ordering::Acquire);
            tokio::time::sleep(step).await;
            if self.working.load(Ordering::Acquire) == 0 && self.changes.load(Ordering::Acquire) == before {
                return;
            }
        }
    }
}

/// Work on one request, until it is dropped.
#[derive(Debug)]
pub(super) struct Work {
    activity: Arc<Activity>,
    /// It is the client's turn.
    resting: bool,
}

impl Work {
    /// The activity that this is a part of.
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    fn resume(&mut self) {
        if self.resting {
            self.resting = false;
            self.activity.working.fetch_add(1, Ordering::AcqRel);
            self.activity.changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn rest(&mut self) {
        if !self.resting {
            self.resting = true;
            self.activity.changes.fetch_add(1, Ordering::AcqRel);
            self.activity.working.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.rest();
    }
}

type Error = Box<dyn StdError + Send + Sync>;

/// The body of an answer. Between two chunks it is the client's turn.
#[derive(Debug)]
pub(super) struct ResponseBody<B> {
    body: B,
    /// Where the service has left the pieces of files that are among its chunks.
    files: Files,
    work: Work,
}

impl<B> ResponseBody<B> {
    pub(super) fn new(body: B, files: Files, work: Work) -> Self {
        Self { body, files, work }
    }
}

impl<B: Body> ResponseBody<B> {
    fn pass(&self, frame: Frame<B::Data>) -> Result<Frame<Chunk<B::Data>>, Error> {
        match frame.into_data() {
            Ok(data) => Ok(Frame::data(self.files.pass(data)?)),
            Err(other) => {
                other.into_trailers().map(Frame::trailers).map_err(|_| "a frame of an unknown kind".into())
            }
        }
    }
}

impl<B: Body<Error: Into<Error>> + Unpin> Body for ResponseBody<B> {
    type Data = Chunk<B::Data>;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk<B::Data>>, Error>>> {
        self.work.resume();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.work.rest();
        Poll::Ready(frame.map(|frame| self.pass(frame.map_err(Into::into)?)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn};

    use bytes::Bytes;
    use futures::FutureExt;
    use http_body_util::{Full, StreamBody};

    use super::*;

    const STEP: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_is_idle() {
        Activity::default().idle(STEP).await;
    }

    #[tokio::test(start_paused = true)]
    async fn work_may_take_any_time() {
        let activity = Arc::new(Activity::default());
        let work = activity.begin();
        assert!(tokio::time::timeout(STEP * 1000, activity.idle(STEP)).await.is_err());
        drop(work);
        activity.idle(STEP).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_leaves_the_connection_idle() {
        let activity = Arc::new(Activity::default());
        let mut body = ResponseBody::new(Full::new(Bytes::from("hello")), Files::default(), activity.begin());
        let chunk = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(chunk.is_some());
        activity.idle(STEP).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_long_piece_slowly_leaves_nothing_idle() {
        let activity = Activity::default();
        let takes = async {
            for _ in 0..10 {
                tokio::time::sleep(STEP * 3 / 4).await;
                activity.note_progress();
            }
        };
        tokio::select! {
            () = takes => {}
            () = activity.idle(STEP) => panic!("the client is not idle"),
        }
        activity.idle(STEP).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_waits_for_the_storage_is_work() {
        let activity = Arc::new(Activity::default());
        let never = futures::stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let mut body = ResponseBody::new(StreamBody::new(never), Files::default(), activity.begin());
        assert!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).now_or_never().is_none());
        assert!(tokio::time::timeout(STEP * 1000, activity.idle(STEP)).await.is_err());
    }
}
