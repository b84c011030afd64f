//! The orderly end: connections are told to finish what they do, and are waited for.

use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::sync::watch;

/// Knows the connections, and tells them to end.
#[derive(Debug)]
pub(super) struct Drain(watch::Sender<bool>);

impl Drain {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// For one connection, which is waited for until it drops this.
    pub(super) fn watch(&self) -> Draining {
        Draining(self.0.subscribe())
    }

    /// Lets requests in flight finish: until they are done, until the time is over, or until a signal.
    pub(super) async fn finish(self, timeout: Duration, mut signals: impl Stream<Item = ()> + Unpin) {
        tracing::info!(connections = self.0.receiver_count(), "stopping: requests in flight may finish");
        self.0.send_replace(true);
        tokio::select! {
            () = self.0.closed() => tracing::info!("stopped"),
            () = tokio::time::sleep(timeout) => {
                tracing::warn!("stopped with requests in flight: http.draintimeout is over");
            }
            _ = signals.next() => tracing::warn!("stopped with requests in flight: a second signal came"),
        }
    }
}

/// What a connection holds for as long as it lives.
#[derive(Debug)]
pub(super) struct Draining(watch::Receiver<bool>);

impl Draining {
    /// Returns when the connection is to take no new requests.
    pub(super) async fn begun(&mut self) {
        if self.0.wait_for(|begun| *begun).await.is_err() {
            // The server has ended without draining, and its runtime with it.
            std::future::pending::<()>().await;
        }
    }
}
