//! One at a time: of several requests with the same credentials, one runs bcrypt and the others wait for what it finds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use super::keyed_hash::Tag;

/// Who has the turn, by credentials. Nothing is kept of those that nobody waits for.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Tag, Arc<tokio::sync::Mutex<()>>>>);

/// The turn, until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    tag: Tag,
    queue: Arc<tokio::sync::Mutex<()>>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn.
    pub(super) async fn take(&self, tag: Tag) -> Turn<'_> {
        let queue = Arc::clone(self.queues().entry(tag).or_default());
        let mut turn = Turn { turns: self, tag, queue: Arc::clone(&queue), held: None };
        turn.held = Some(queue.lock_owned().await);
        turn
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Tag, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        self.held = None;
        // The map has one, and this turn another: nobody else waits.
        if Arc::strong_count(&self.queue) == 2 {
            queues.remove(&self.tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn equal_credentials_wait_for_one_another_and_others_do_not() {
        let turns = Turns::default();
        let first = turns.take([1; 32]).await;
        let mut second = Box::pin(turns.take([1; 32]));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(turns.take([2; 32]).now_or_never().is_some());
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn nothing_is_kept_when_nobody_waits_any_more() {
        let turns = Turns::default();
        let first = turns.take([1; 32]).await;
        let mut given_up = Box::pin(turns.take([1; 32]));
        assert!(given_up.as_mut().now_or_never().is_none());
        drop(given_up);
        assert_eq!(turns.queues().len(), 1);
        drop(first);
        assert!(turns.queues().is_empty());
    }
}
