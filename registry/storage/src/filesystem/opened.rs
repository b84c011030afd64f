//! A file that stays open for a moment, for all who want a part of it meanwhile.
//!
//! To open and to close it takes as long as to send some kilobytes of it. What is deleted keeps its room for no longer than
//! that moment, and for as long as somebody is being sent it.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

/// How long it stays open.
const MOMENT: Duration = Duration::from_secs(1);

/// Where the file is while it is open.
#[derive(Debug, Default)]
pub(super) struct Opened(Arc<Mutex<Option<Arc<File>>>>);

impl Opened {
    /// The file, if it is open.
    pub(super) fn get(&self) -> Option<Arc<File>> {
        lock(&self.0).clone()
    }

    /// Keeps the file open for a moment; not at all where no runtime sees to the end of that.
    pub(super) fn keep(&self, file: &Arc<File>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if lock(&self.0).replace(Arc::clone(file)).is_none() {
            let opened = Arc::clone(&self.0);
            runtime.spawn(async move {
                tokio::time::sleep(MOMENT).await;
                close(&opened);
            });
        }
    }

    /// Closes the file, which is another one now.
    pub(super) fn close(&self) {
        close(&self.0);
    }
}

fn close(opened: &Mutex<Option<Arc<File>>>) {
    // Closing takes time, for which nobody has to wait.
    let file = lock(opened).take();
    drop(file);
}

fn lock(opened: &Mutex<Option<Arc<File>>>) -> MutexGuard<'_, Option<Arc<File>>> {
    opened.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_is_closed_after_a_moment_however_often_it_is_wanted() {
        let (opened, file) = (Opened::default(), Arc::new(tempfile::tempfile().unwrap()));
        opened.keep(&file);
        for _ in 0..10 {
            tokio::time::sleep(MOMENT / 11).await;
            assert!(opened.get().is_some());
            opened.keep(&file);
        }
        tokio::time::sleep(MOMENT).await;
        assert!(opened.get().is_none() && Arc::strong_count(&file) == 1);
    }

    #[test]
    fn where_nobody_would_close_it_no_file_is_kept() {
        let opened = Opened::default();
        opened.keep(&Arc::new(tempfile::tempfile().unwrap()));
        assert!(opened.get().is_none());
    }
}
