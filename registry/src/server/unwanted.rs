//! The rest of a body that the service did not want. What is short and soon there is read, so that the next request can
//! follow; otherwise the connection has to end, and the client is told.
//!
//! A refusal needs this: a client that sends its password only when it is asked for has sent the body as well.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::body::{Body, Incoming};
use tokio::time::timeout;

/// How many bytes are read to keep a connection; for more, a new connection is cheaper.
const SHORT: u64 = 256 * 1024;

/// Where the body of a request leaves what was not read of it; `None` when it has nothing to leave, as most have.
#[derive(Clone, Debug)]
pub(super) struct Unwanted(Option<Arc<Mutex<Option<Incoming>>>>);

impl Unwanted {
    /// For this body.
    pub(super) fn of(body: &Incoming) -> Self {
        Self((!body.is_end_stream()).then(Arc::default))
    }

    pub(super) fn leave(&self, rest: Incoming) {
        if let Some(mut left) = self.lock() {
            *left = Some(rest);
        }
    }

    /// Whether the whole body has been read.
    pub(super) fn is_nothing(&self) -> bool {
        self.lock().is_none_or(|left| left.is_none())
    }

    /// Reads what was left, if it is short and is there within this time.
    pub(super) async fn read_within(&self, limit: Duration) {
        let rest = self.lock().and_then(|mut left| left.take());
        if let Some(mut rest) = rest
            && !timeout(limit, reaches_its_end(&mut rest)).await.unwrap_or(false)
        {
            self.leave(rest);
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, Option<Incoming>>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads until the end of the body, unless it is too long or breaks off.
async fn reaches_its_end(rest: &mut Incoming) -> bool {
    let mut read = 0;
    while read + rest.size_hint().lower() <= SHORT {
        match poll_fn(|context| Pin::new(&mut *rest).poll_frame(context)).await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => return false,
            None => return true,
        }
    }
    false
}
