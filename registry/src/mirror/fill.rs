//! How much a mirror has, as far as this process knows: what the last look found, and what it has taken in since.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// What a mirror has, against its limit.
#[derive(Debug, Default)]
pub(super) struct Fill {
    limit: Option<u64>,
    bytes: AtomicU64,
    is_over: Notify,
}

impl Fill {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Adds what has come.
    pub(super) fn add(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.limit.is_some_and(|limit| before.saturating_add(bytes) > limit) {
            self.is_over.notify_one();
        }
    }

    /// Counts from nothing: somebody begins to look what there is, and adds that.
    pub(super) fn begin_anew(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Waits until there is more than the limit.
    pub(super) async fn wait(&self) {
        self.is_over.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_told_when_there_is_more_than_the_limit() {
        let fill = Fill::new(Some(100));
        fill.add(60);
        let mut over = std::pin::pin!(fill.wait());
        assert!(futures::poll!(&mut over).is_pending());
        fill.add(60);
        assert!(futures::poll!(&mut over).is_ready());
        fill.begin_anew();
        fill.add(90);
        assert!(futures::poll!(std::pin::pin!(fill.wait())).is_pending());
    }
}
