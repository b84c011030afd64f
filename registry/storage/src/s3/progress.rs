//! A body on its way to the server: as long as it moves, nobody is silent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpRequestBody};
use tokio::sync::Notify;

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
