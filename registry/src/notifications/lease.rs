//! One deliverer among replicas: whoever delivers to an endpoint says so in the storage, for a limited time.
//!
//! The storage has no compare-and-swap, so that two replicas which find an expired lease at the same moment may both
//! believe to have it, until the next renewal. Then events are delivered twice, which endpoints must expect anyway.

use std::{sync::Arc, time::Duration};

use berth_storage::{Error, Key, ObjectStore, PutCondition, Result};
use futures::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{event::SourceRecord, layout};

/// How long a lease lasts beyond the time limit of a request.
const MARGIN: Duration = Duration::from_secs(30);

/// How long a lease is kept while there is nothing to deliver.
const IDLE: Duration = Duration::from_secs(5);

/// What stands in the storage.
#[derive(Debug, Serialize, Deserialize)]
struct Held {
    by: SourceRecord,
    until: Timestamp,
}

/// The right to deliver to an endpoint.
#[derive(Debug)]
pub(super) struct Lease {
    store: Arc<dyn ObjectStore>,
    key: Key,
    me: SourceRecord,
    duration: Duration,
    /// When it was taken or renewed; `None` while it is not held.
    renewed: Option<Instant>,
}

impl Lease {
    /// The lease for an endpoint that answers within `time_limit`; it is not held yet.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        endpoint: &str,
        me: SourceRecord,
        time_limit: Duration,
    ) -> Self {
        Self { store, key: layout::lease(endpoint), me, duration: MARGIN + time_limit, renewed: None }
    }

    /// Takes or renews the lease; `false` while another process holds it.
    pub(super) async fn hold(&mut self) -> Result<bool> {
        if self.renewed.is_some_and(|renewed| renewed.elapsed() < MARGIN / 3) {
            return Ok(true);
        }
        self.renewed = None;
        let held = match self.read().await? {
            Some(held) if held.by == self.me => self.write(PutCondition::Always).await?,
            Some(held) if !self.may_replace(&held) => false,
            Some(_) => {
                self.store.delete(&self.key).await?;
                self.write(PutCondition::IfAbsent).await?
            }
            None => self.write(PutCondition::IfAbsent).await?,
        };
        self.renewed = held.then(Instant::now);
        Ok(held)
    }

    /// Lets others deliver.
    pub(super) async fn release(&mut self) -> Result<()> {
        if self.renewed.take().is_some() && self.read().await?.is_some_and(|held| held.by == self.me) {
            self.store.delete(&self.key).await?;
        }
        Ok(())
    }

    /// Lets others deliver, unless there was something to deliver a moment ago.
    pub(super) async fn release_when_idle(&mut self) -> Result<()> {
        match self.renewed {
            Some(renewed) if renewed.elapsed() >= IDLE => self.release().await,
            _ => Ok(()),
        }
    }

    /// A lease ends with its time, and with the process: another one at the same address has taken its place.
    fn may_replace(&self, held: &Held) -> bool {
        held.until <= Timestamp::now() || held.by.addr == self.me.addr
    }

    /// The lease in the storage. One that cannot be read is nobody's.
    async fn read(&self) -> Result<Option<Held>> {
        let object = match self.store.get(&self.key, None).await {
            Err(error) if error.is_not_found() => return Ok(None),
            object => object?,
        };
        let unreadable = |source| Error::Unavailable { key: self.key.clone(), source };
        let chunks: Vec<_> = object.body.try_collect().await.map_err(unreadable)?;
        let nobodys =
            || Held { by: SourceRecord { addr: String::new(), ..self.me.clone() }, until: Timestamp::MIN };
        Ok(Some(serde_json::from_slice(&chunks.concat()).unwrap_or_else(|_| nobodys())))
    }

    async fn write(&self, condition: PutCondition) -> Result<bool> {
        let until = Timestamp::now().checked_add(self.duration).unwrap_or(Timestamp::MAX);
        let held = serde_json::to_vec(&Held { by: self.me.clone(), until })
            .map_err(|error| Error::Other { key: self.key.clone(), source: error.into() })?;
        match self.store.put(&self.key, held.into(), condition).await {
            Err(Error::AlreadyExists(_)) => Ok(false),
            written => written.map(|()| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_storage::Memory;

    fn lease(store: &Arc<Memory>, addr: &str, instance: &str) -> Lease {
        let me = SourceRecord { addr: addr.to_owned(), instance_id: instance.to_owned() };
        Lease::new(Arc::clone(store) as _, "mail", me, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn one_of_two_replicas_delivers_until_it_lets_go() {
        let store = Arc::new(Memory::new());
        let (mut first, mut second) = (lease(&store, "a:5000", "1"), lease(&store, "b:5000", "2"));
        assert!(first.hold().await.unwrap());
        assert!(!second.hold().await.unwrap());
        second.release().await.unwrap();
        assert!(!second.hold().await.unwrap());
        first.release().await.unwrap();
        assert!(second.hold().await.unwrap());
        assert!(!first.hold().await.unwrap());
    }

    #[tokio::test]
    async fn a_process_that_was_started_again_does_not_wait_for_the_one_before() {
        let store = Arc::new(Memory::new());
        let (mut before, mut after) = (lease(&store, "a:5000", "1"), lease(&store, "a:5000", "2"));
        assert!(before.hold().await.unwrap());
        assert!(after.hold().await.unwrap());
        before.renewed = None;
        assert!(before.hold().await.unwrap(), "an address has one process");
    }

    #[tokio::test]
    async fn an_expired_or_damaged_lease_is_taken_over() {
        let store = Arc::new(Memory::new());
        let mut dead = lease(&store, "a:5000", "1");
        dead.duration = Duration::ZERO;
        assert!(dead.hold().await.unwrap());
        let mut alive = lease(&store, "b:5000", "2");
        assert!(alive.hold().await.unwrap());
        store.put(&layout::lease("mail"), "nonsense".into(), PutCondition::Always).await.unwrap();
        assert!(lease(&store, "c:5000", "3").hold().await.unwrap());
    }
}
