//! A limit on silence: what is on its way may take as long as it takes, as long as it moves.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What comes of `work`; `None` when nothing has moved for `limit`.
pub async fn while_it_moves<T>(limit: Duration, moved: &Notify, work: impl Future<Output = T>) -> Option<T> {
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
