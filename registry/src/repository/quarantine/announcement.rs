//! What a collector is deleting at the moment, for everybody to see.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_oci::Digest;
use berth_storage::{Clock, Key, ObjectStore, PutCondition};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::repository::digest_set::DigestSet;
use crate::repository::documents::{read_document, write_document};
use crate::repository::{Result, layout};

/// For how long after an announcement deletions may begin.
const DURATION: Duration = Duration::from_secs(20);

/// How long after its end an announcement counts as that of a collector that died: as long as a request to the
/// storage may be on its way.
pub(super) const OVERDUE: Duration = Duration::from_secs(30);

/// A few digests and the time in which they are deleted, as it stands in the storage.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Announced {
    digests: Vec<Digest>,
    /// No deletion begins later.
    until: Timestamp,
}

impl Announced {
    /// The announcement in the storage. One that cannot be read is nobody's.
    pub(super) async fn read(store: &Arc<dyn ObjectStore>) -> Result<Option<Self>> {
        let found = read_document(&**store, &layout::collection::announcement()).await?;
        Ok(found.map(|(_, announced)| announced))
    }

    pub(super) fn names(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    pub(super) fn is_overdue(&self, now: SystemTime) -> bool {
        SystemTime::from(self.until) + OVERDUE < now
    }
}

/// The announcement of the collector that made it.
#[derive(Debug)]
pub(in crate::repository) struct Announcement {
    store: Arc<dyn ObjectStore>,
    clock: Clock,
    until: SystemTime,
    rescued: DigestSet,
}

impl Announcement {
    pub(super) async fn publish(
        store: &Arc<dyn ObjectStore>,
        digests: Vec<Digest>,
        clock: Clock,
    ) -> Result<Self> {
        let until = Timestamp::try_from(clock.now() + DURATION).unwrap_or_default();
        let announced = Announced { digests, until };
        write_document(&**store, &layout::collection::announcement(), &announced, PutCondition::Always)
            .await?;
        Ok(Self { store: Arc::clone(store), clock, until: until.into(), rescued: DigestSet::default() })
    }

    /// With what others have rescued, as it was found after the announcement.
    pub(super) fn sparing(self, rescued: DigestSet) -> Self {
        Self { rescued, ..self }
    }

    /// Whether it may be deleted now: nobody has rescued it, and everybody still waits for the deletion.
    pub(in crate::repository) fn condemns(&self, digest: &Digest) -> bool {
        self.clock.now() < self.until && !self.rescued.contains(digest)
    }

    /// Deletes these objects, for as long as everybody still waits for that. Returns how many are gone.
    pub(in crate::repository) async fn delete_each(&self, keys: Vec<Key>) -> Result<usize> {
        let (clock, until) = (self.clock.clone(), self.until);
        Ok(self.store.delete_each(keys, Arc::new(move || clock.now() < until)).await?)
    }

    /// Takes it back, now that what it names is gone.
    pub(in crate::repository) async fn withdraw(self) -> Result<()> {
        Ok(self.store.delete(&layout::collection::announcement()).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn an_announcement_is_in_force_and_then_waited_for_and_then_overdue() {
        let store: Arc<dyn ObjectStore> = Arc::new(berth_storage::Memory::new());
        let (now, digest) = (SystemTime::now(), Digest::sha256([1; 32]));
        let time = Arc::new(Mutex::new(now));
        let shown = Arc::clone(&time);
        let clock = Clock::new(move || *shown.lock().unwrap());
        let own = Announcement::publish(&store, vec![digest], clock).await.unwrap();
        let announced = Announced::read(&store).await.unwrap().unwrap();
        assert!(announced.names(&digest) && !announced.names(&Digest::sha256([2; 32])));
        let keys = || vec!["a".parse().unwrap(), "b".parse().unwrap()];
        *time.lock().unwrap() = now + Duration::from_secs(19);
        assert!(own.condemns(&digest));
        assert_eq!(own.delete_each(keys()).await.unwrap(), 2);
        let later = now + Duration::from_secs(21);
        *time.lock().unwrap() = later;
        assert!(!own.condemns(&digest) && !announced.is_overdue(later));
        assert_eq!(own.delete_each(keys()).await.unwrap(), 0);
        assert!(announced.is_overdue(now + Duration::from_secs(51)));
    }
}
