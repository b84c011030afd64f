//! A body on its way to the server: as long as it moves, nobody is silent.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use hyper::body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpRequestBody};
use tokio::sync::Notify;
use tokio::time::timeout;

/// A body that tells whenever a piece of it is taken.
#[derive(Debug)]
pub(super) struct Watched {
    body: HttpRequestBody,
    moved: Arc<Notify>,
}

impl Watched {
    /// The body, and what tells of it.
    pub(super) fn new(body: HttpRequestBody) -> (Self, Arc<Notify>) {
        let moved = Arc::new(Notify::new());
        (Self { body, moved: Arc::clone(&moved) }, moved)
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.moved.notify_one();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What comes of `work`; `None` when nothing has moved for `limit`.
pub(super) async fn while_it_moves<T>(
    limit: Duration,
    moved: &Notify,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        match timeout(limit, select(work.as_mut(), pin!(moved.notified()))).await {
            Ok(Either::Left((done, _))) => return Some(done),
            Ok(Either::Right(_)) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn what_moves_may_take_longer_than_the_limit() {
        let moved = Notify::new();
        let work = async {
            for _ in 0..5 {
                sleep(LIMIT * 4 / 5).await;
                moved.notify_one();
            }
        };
        assert!(while_it_moves(LIMIT, &moved, work).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_move_is_given_up() {
        let moved = Notify::new();
        moved.notify_one();
        assert!(while_it_moves(LIMIT, &moved, pending::<()>()).await.is_none());
    }
}
