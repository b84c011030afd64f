//! The agreement between those who rely on content and those who delete it: the garbage collection, and the
//! deletion of a whole repository.
//!
//! The collector deletes only what is old. Whoever tells a client that some content exists therefore makes it
//! young when it is not, and both do their checking and their doing under a lock: so content is either
//! rescued or seen to be gone, never promised and then deleted. Other processes have no part in the locks;
//! against them the minimum age protects.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use berth_oci::{Digest, RepositoryName};
use berth_storage::Clock;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Content is made young again at most once in this time, as long as no collection is running.
const REFRESH_AFTER: Duration = Duration::from_hours(1);

const SHARDS: usize = 256;

/// Locks by digest and by repository, and whether a collection is running.
#[derive(Debug)]
pub(super) struct Liveness {
    shards: Vec<RwLock<()>>,
    repositories: Vec<RwLock<()>>,
    publishing: RwLock<()>,
    collecting_since: Mutex<Option<SystemTime>>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            shards: locks(),
            repositories: locks(),
            publishing: RwLock::new(()),
            collecting_since: Mutex::new(None),
        }
    }
}

fn locks() -> Vec<RwLock<()>> {
    (0..SHARDS).map(|_| RwLock::new(())).collect()
}

/// Holds off what would delete content that a manifest needs, until the manifest is visible.
#[derive(Debug)]
pub(super) struct Publishing<'a> {
    _no_collection_begins: RwLockReadGuard<'a, ()>,
    _repository_stays: RwLockReadGuard<'a, ()>,
}

impl Liveness {
    fn shard(&self, digest: &Digest) -> &RwLock<()> {
        &self.shards[usize::from(digest.as_bytes()[0]) % SHARDS]
    }

    /// Keeps the collector away from the content while it is looked up and made young. One at a time: a task
    /// that asks for a second one may wait for itself.
    pub(super) async fn hold(&self, digest: &Digest) -> RwLockReadGuard<'_, ()> {
        self.shard(digest).read().await
    }

    /// Keeps everybody else away from the content while it is judged and deleted.
    pub(super) async fn condemn(&self, digest: &Digest) -> RwLockWriteGuard<'_, ()> {
        self.shard(digest).write().await
    }

    fn repository(&self, name: &RepositoryName) -> &RwLock<()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let hash = usize::try_from(hasher.finish() % SHARDS as u64);
        &self.repositories[hash.unwrap_or_default()]
    }

    /// Keeps a collection from beginning, and the repository from being deleted, between the check of what a
    /// manifest needs and its becoming visible.
    pub(super) async fn publish(&self, name: &RepositoryName) -> Publishing<'_> {
        Publishing {
            _repository_stays: self.repository(name).read().await,
            _no_collection_begins: self.publishing.read().await,
        }
    }

    /// Keeps manifests from becoming visible in the repository while it is deleted.
    pub(super) async fn close(&self, name: &RepositoryName) -> RwLockWriteGuard<'_, ()> {
        self.repository(name).write().await
    }

    /// Begins a collection. Whatever is relied on from now on will have been modified after the returned
    /// time.
    pub(super) async fn begin_collection(&self, clock: &Clock) -> SystemTime {
        let _nobody_publishes = self.publishing.write().await;
        let now = clock.now();
        *self.collecting_since() = Some(now);
        now
    }

    /// Ends a collection.
    pub(super) fn end_collection(&self) {
        *self.collecting_since() = None;
    }

    /// Whether content that was modified then must be made young for whoever relies on it now.
    pub(super) fn must_refresh(&self, modified: SystemTime, now: SystemTime) -> bool {
        let is_stale = now.duration_since(modified).is_ok_and(|age| age > REFRESH_AFTER);
        is_stale || self.collecting_since().is_some_and(|since| modified < since)
    }

    fn collecting_since(&self) -> std::sync::MutexGuard<'_, Option<SystemTime>> {
        self.collecting_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn content_is_refreshed_when_it_is_stale_or_a_collection_is_running() {
        let liveness = Liveness::default();
        let now = SystemTime::now();
        let (young, stale) = (now - Duration::from_mins(5), now - Duration::from_hours(2));
        assert!(!liveness.must_refresh(young, now));
        assert!(liveness.must_refresh(stale, now));

        liveness.begin_collection(&Clock::new(move || now)).await;
        assert!(liveness.must_refresh(young, now));
        assert!(!liveness.must_refresh(now, now));
        liveness.end_collection();
        assert!(!liveness.must_refresh(young, now));
    }
}
