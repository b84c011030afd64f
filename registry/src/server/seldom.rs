//! A future that is looked at only when it has something to say.
//!
//! A task that waits for several things asks all of them whenever one of them wakes it. For what happens once in the life of a
//! connection, that would be a look at memory with each request that nobody has looked at since the last one.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Such a future.
#[derive(Debug)]
pub(super) struct Seldom<F> {
    future: F,
    bell: Option<Arc<Bell>>,
}

/// Wakes the task, and lets it know by whom.
#[derive(Debug)]
struct Bell {
    has_rung: AtomicBool,
    task: Waker,
}

impl<F> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future, bell: None }
    }

    /// The bell of this task, which has rung if it is a new one.
    fn bell(&mut self, task: &Waker) -> &Arc<Bell> {
        let known = self.bell.take().filter(|bell| bell.task.will_wake(task));
        let new = || Arc::new(Bell { has_rung: AtomicBool::new(true), task: task.clone() });
        self.bell.insert(known.unwrap_or_else(new))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<F: Future + Unpin> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let bell = self.bell(context.waker());
        if !bell.has_rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // What rings from here on counts for the next time; what the last one rang for is seen.
        bell.has_rung.swap(false, Ordering::AcqRel);
        let waker = Waker::from(Arc::clone(bell));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, sync::atomic::AtomicUsize, time::Duration};

    use futures::{FutureExt as _, task::noop_waker};
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_has_nothing_to_say_is_looked_at_once() {
        let looks = AtomicUsize::new(0);
        let (sender, mut receiver) = oneshot::channel();
        let future = poll_fn(|context| {
            looks.fetch_add(1, Ordering::Relaxed);
            receiver.poll_unpin(context)
        });
        let mut seldom = Seldom::new(future);
        for _ in 0..10 {
            assert!(poll_fn(|context| Poll::Ready(seldom.poll_unpin(context))).await.is_pending());
        }
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        sender.send(7).unwrap();
        assert_eq!(seldom.await, Ok(7));
    }

    #[tokio::test]
    async fn the_task_that_waits_is_woken() {
        let (sender, receiver) = oneshot::channel();
        let waiting = tokio::spawn(Seldom::new(receiver));
        tokio::task::yield_now().await;
        sender.send(7).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn another_task_can_go_on_with_it() {
        let sleep = pin!(tokio::time::sleep(Duration::from_secs(1)));
        let mut seldom = Seldom::new(sleep);
        assert!(seldom.poll_unpin(&mut Context::from_waker(&noop_waker())).is_pending());
        seldom.await;
    }
}
