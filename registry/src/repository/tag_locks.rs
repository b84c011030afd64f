//! Locks by tag: what is read of a tag in order to change it is not changed by others in between.
//!
//! They hold within one process, and save those who share it from trying in vain. What must hold between processes too
//! is asked of the storage.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use berth_oci::{RepositoryName, Tag};
use tokio::sync::{Mutex, MutexGuard};

const SHARDS: usize = 64;

/// As many locks as there may be changes of different tags at a time; tags share them.
#[derive(Debug)]
pub(super) struct TagLocks(Vec<Mutex<()>>);

impl Default for TagLocks {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(())).collect())
    }
}

impl TagLocks {
    /// Keeps others from changing these tags. A task that holds some must not ask for more: it may wait for itself.
    pub(super) async fn lock<'a>(
        &self,
        name: &RepositoryName,
        tags: impl IntoIterator<Item = &'a Tag>,
    ) -> Vec<MutexGuard<'_, ()>> {
        // Everybody takes them in the same order, so that nobody waits for somebody who waits.
        let shards: BTreeSet<_> = tags.into_iter().map(|tag| shard(name, tag)).collect();
        let mut locked = Vec::with_capacity(shards.len());
        for shard in shards {
            locked.push(self.0[shard].lock().await);
        }
        locked
    }
}

fn shard(name: &RepositoryName, tag: &Tag) -> usize {
    let mut hasher = DefaultHasher::new();
    (name, tag).hash(&mut hasher);
    usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tags_that_share_a_lock_are_locked_once() {
        let locks = TagLocks::default();
        let name: RepositoryName = "app".parse().unwrap();
        let tags: Vec<Tag> = (0..1000).map(|number| format!("v{number}").parse().unwrap()).collect();
        assert_eq!(locks.lock(&name, &tags).await.len(), SHARDS);
        assert_eq!(locks.lock(&name, [&tags[0], &tags[0]]).await.len(), 1);
    }
}
