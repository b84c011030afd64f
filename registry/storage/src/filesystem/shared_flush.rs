//! Flushes of folders that those who wait for them share: one that begins after all of them have asked is enough.
//!
//! Many requests put names into the same few folders at the same time. Whoever finds a folder being flushed waits, and of
//! those who have waited one flushes it for all.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The folders that are being flushed.
#[derive(Debug, Default)]
pub(super) struct SharedFlush(Mutex<HashMap<PathBuf, Arc<Queue>>>);

/// Those who want a folder to be flushed.
#[derive(Debug, Default)]
struct Queue {
    /// How many have asked.
    asked: AtomicU64,
    /// Held while the folder is flushed.
    turn: Mutex<Covered>,
}

/// What has become of those who have asked.
#[derive(Debug, Default)]
struct Covered {
    /// So many are done.
    done: u64,
    /// So many have failed: the system tells of an error once, and would let the next attempt succeed without what is lost.
    failed: u64,
}

impl SharedFlush {
    /// Flushes the folder by `flush`, or has it flushed by somebody who begins after this.
    pub(super) fn flush(&self, folder: &Path, flush: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let queue = self.queue(folder);
        let mine = queue.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let flushed = queue.pass(mine, flush);
        self.leave(folder, queue);
        flushed
    }

    fn queue(&self, folder: &Path) -> Arc<Queue> {
        Arc::clone(lock(&self.0).entry(folder.to_owned()).or_default())
    }

    /// Forgets the queue when nobody else is in it.
    fn leave(&self, folder: &Path, queue: Arc<Queue>) {
        let mut queues = lock(&self.0);
        drop(queue);
        if queues.get(folder).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(folder);
        }
    }
}

impl Queue {
    fn pass(&self, mine: u64, flush: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut covered = lock(&self.turn);
        if covered.failed >= mine {
            return Err(io::Error::other("the folder could not be flushed"));
        }
        if covered.done >= mine {
            return Ok(());
        }
        let all = self.asked.load(Ordering::SeqCst);
        let flushed = flush();
        *(if flushed.is_ok() { &mut covered.done } else { &mut covered.failed }) = all;
        flushed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    /// Lets `crowd` wait while somebody flushes; returns how many flushes there were, and how many of the crowd succeeded.
    fn waiting(crowd: u64, outcome: fn() -> io::Result<()>) -> (usize, usize) {
        let (shared, count, folder) = (SharedFlush::default(), AtomicUsize::new(0), Path::new("folder"));
        let (shared, flushes) = (&shared, &count);
        let queue = shared.queue(folder);
        let succeeded = thread::scope(|scope| {
            let first = lock(&queue.turn);
            let waiting: Vec<_> = (0..crowd)
                .map(|_| {
                    let flush = move || {
                        flushes.fetch_add(1, Ordering::SeqCst);
                        outcome()
                    };
                    scope.spawn(move || shared.flush(folder, flush).is_ok())
                })
                .collect();
            while queue.asked.load(Ordering::SeqCst) < crowd {
                thread::yield_now();
            }
            drop(first);
            waiting.into_iter().filter_map(|waiting| waiting.join().ok()).filter(|is_ok| *is_ok).count()
        });
        (count.into_inner(), succeeded)
    }

    #[test]
    fn those_who_wait_share_one_flush() {
        assert_eq!(waiting(8, || Ok(())), (1, 8));
    }

    #[test]
    fn those_who_share_a_flush_that_fails_all_fail() {
        assert_eq!(waiting(8, || Err(ErrorKind::StorageFull.into())), (1, 0));
    }

    #[test]
    fn who_comes_later_has_the_folder_flushed_again() {
        let (shared, flushes) = (SharedFlush::default(), AtomicUsize::new(0));
        for _ in 0..2 {
            let flush = || {
                flushes.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            shared.flush(Path::new("folder"), flush).unwrap();
        }
        assert_eq!(flushes.into_inner(), 2);
        assert!(lock(&shared.0).is_empty(), "nobody is remembered");
    }
}
