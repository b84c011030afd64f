//! Looks at everything that follows files: again and again, and at once when a signal asks for it.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};

use super::{FileDigest, Reloading};

/// Something that is read again when its files change.
pub trait Refresh: Send + Sync {
    /// Reads it again if its files have changed, and tells whether they had.
    fn refresh(&self) -> bool;

    /// Its files, with the digests of the bytes that are in force.
    fn digests(&self) -> Vec<FileDigest>;
}

impl<T: Send + Sync> Refresh for Reloading<T> {
    fn refresh(&self) -> bool {
        Self::refresh(self)
    }

    fn digests(&self) -> Vec<FileDigest> {
        Self::digests(self)
    }
}

/// Refreshes all of them at each interval and at each hangup, for as long as the future is polled.
pub async fn follow(all: Arc<[Arc<dyn Refresh>]>, interval: Duration, hangups: impl Stream<Item = ()>) {
    let mut hangups = pin!(hangups.fuse());
    let mut ticks = tokio::time::interval(interval);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                refresh(&all);
            }
            Some(()) = hangups.next() => match refresh(&all) {
                0 => tracing::info!("SIGHUP: every file was looked at, and none has changed"),
                changed => tracing::info!(changed, "SIGHUP: every file was looked at, and the changed ones were read again"),
            },
        }
    }
}

/// How many of them had changed.
fn refresh(all: &[Arc<dyn Refresh>]) -> usize {
    all.iter().filter(|followed| followed.refresh()).count()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::stream;

    use super::*;

    #[derive(Default)]
    struct Looks(AtomicUsize);

    impl Refresh for Looks {
        fn refresh(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            false
        }

        fn digests(&self) -> Vec<FileDigest> {
            Vec::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_looked_at_at_each_interval_and_at_each_hangup() {
        let looks = Arc::new(Looks::default());
        let all: Arc<[Arc<dyn Refresh>]> = Arc::new([Arc::clone(&looks) as _]);
        let following = follow(all, Duration::from_secs(2), stream::iter([(), ()]));
        let _ = tokio::time::timeout(Duration::from_secs(5), following).await;
        // At 0, 2 and 4 seconds, and twice for a signal.
        assert_eq!(looks.0.load(Ordering::Relaxed), 5);
    }
}
