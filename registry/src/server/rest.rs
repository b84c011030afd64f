//! When nobody is connected.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Knows whether a server has connections. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Rest(Arc<Connected>);

#[derive(Debug, Default)]
struct Connected {
    number: AtomicUsize,
    last_has_left: Notify,
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Guest(Rest);

impl Rest {
    /// Whether nobody is connected now.
    pub fn is_now(&self) -> bool {
        self.0.number.load(Ordering::Acquire) == 0
    }

    /// Returns when the last connection has ended; at once, when one has that nobody has waited for.
    pub async fn begun(&self) {
        self.0.last_has_left.notified().await;
    }

    pub(super) fn welcome(&self) -> Guest {
        self.0.number.fetch_add(1, Ordering::AcqRel);
        Guest(self.clone())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Rest(connected) = &self.0;
        if connected.number.fetch_sub(1, Ordering::AcqRel) == 1 {
            connected.last_has_left.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn rest_begins_when_the_last_has_left() {
        let rest = Rest::default();
        assert!(rest.is_now() && rest.begun().now_or_never().is_none());
        let guests = (rest.welcome(), rest.welcome());
        drop(guests.0);
        assert!(!rest.is_now() && rest.begun().now_or_never().is_none());
        drop(guests.1);
        assert!(rest.is_now() && rest.begun().now_or_never().is_some());
        assert!(rest.begun().now_or_never().is_none(), "it has begun once");
    }
}
