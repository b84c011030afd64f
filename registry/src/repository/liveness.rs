//! Locks within the process among those who push and those who delete by request: a manifest, the content that a
//! repair takes away, a whole repository.
//!
//! Collectors have no part in them. How they and everybody else agree, in any number of processes, is told in
//! `quarantine`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use berth_oci::{Digest, RepositoryName};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

const SHARDS: usize = 256;

/// Locks by digest and by repository.
#[derive(Debug)]
pub(super) struct Liveness {
    shards: Vec<RwLock<()>>,
    repositories: Vec<RwLock<()>>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { shards: locks(), repositories: locks() }
    }
}

fn locks() -> Vec<RwLock<()>> {
    (0..SHARDS).map(|_| RwLock::new(())).collect()
}

impl Liveness {
    fn shard(&self, digest: &Digest) -> &RwLock<()> {
        &self.shards[usize::from(digest.as_bytes()[0]) % SHARDS]
    }

    /// Keeps the content from being judged and deleted while it is written. One at a time: a task that asks for a
    /// second one may wait for itself.
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

    /// Keeps the repository from being deleted between the check of what a manifest needs and its becoming visible.
    pub(super) async fn publish(&self, name: &RepositoryName) -> RwLockReadGuard<'_, ()> {
        self.repository(name).read().await
    }

    /// Keeps manifests from becoming visible in the repository while it is deleted.
    pub(super) async fn close(&self, name: &RepositoryName) -> RwLockWriteGuard<'_, ()> {
        self.repository(name).write().await
    }
}
