//! What all parts of the registry share, and the few operations that all of them need.

use std::str::{self, FromStr as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use berth_oci::Digest;
use berth_storage::{Clock, Error as StorageError, Key, ObjectMeta, ObjectStore, PutCondition};
use bytes::Bytes;
use futures::TryStreamExt as _;

use super::liveness::Liveness;
use super::manifests::Remembered;
use super::quarantine::Quarantine;
use super::retention::Pulls;
use super::room::Guard;
use super::tag_locks::TagLocks;
use super::uploads::FreshHashes;
use super::{Error, Result, Rules, layout};

/// How many objects are deleted at once.
const CONCURRENCY: usize = 16;

/// The storage, the rules, the time, and what the requests of a process have to agree about.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) rules: RwLock<Arc<Rules>>,
    pub(super) clock: Clock,
    pub(super) liveness: Liveness,
    pub(super) quarantine: Quarantine,
    pub(super) remembered: Remembered,
    pub(super) fresh_hashes: FreshHashes,
    pub(super) tag_locks: TagLocks,
    pub(super) guard: Guard,
    pub(super) pulls: Pulls,
    /// Whether the read-only switch was on when it was last looked at.
    pub(super) read_only: AtomicBool,
}

/// Turns the absence of an object into `None`.
pub(super) fn found<T>(result: Result<T, StorageError>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The digest that a link holds.
pub(super) fn parse_link(key: &Key, content: &[u8]) -> Option<Digest> {
    let digest = str::from_utf8(content).ok().and_then(|text| Digest::from_str(text.trim()).ok());
    if digest.is_none() {
        tracing::warn!(%key, "the link holds no digest and is ignored");
    }
    digest
}

/// The objects that make each link point at its digest.
pub(super) fn links<'a>(pointing: impl IntoIterator<Item = (Key, &'a Digest)>) -> Vec<(Key, Bytes)> {
    pointing.into_iter().map(|(key, digest)| (key, digest.to_string().into())).collect()
}

/// The content of the object, if there is one, and what is known about it.
pub(super) async fn read(store: &dyn ObjectStore, key: &Key) -> Result<Option<(ObjectMeta, Bytes)>> {
    found(store.read(key).await)
}

impl State {
    /// What is allowed now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        if self.read_only.load(Ordering::Relaxed) && !rules.read_only {
            return Arc::new(Rules { read_only: true, ..Rules::clone(&rules) });
        }
        rules
    }

    /// What is known about the object, if there is one.
    pub(super) async fn head(&self, key: &Key) -> Result<Option<ObjectMeta>> {
        found(self.store.head(key).await)
    }

    /// The content of the object, if there is one, and what is known about it.
    pub(super) async fn read(&self, key: &Key) -> Result<Option<(ObjectMeta, Bytes)>> {
        read(&*self.store, key).await
    }

    /// The digest in the link. A link that is damaged counts as absent: pushing again repairs it.
    pub(super) async fn read_link(&self, key: &Key) -> Result<Option<Digest>> {
        let Some((_, content)) = self.read(key).await? else { return Ok(None) };
        Ok(parse_link(key, &content))
    }

    /// The digest in the link, and the condition under which a put replaces just this content.
    pub(super) async fn read_versioned_link(&self, key: &Key) -> Result<(Option<Digest>, PutCondition)> {
        let Some((meta, content)) = self.read(key).await? else { return Ok((None, PutCondition::IfAbsent)) };
        let unchanged = meta.version.map_or(PutCondition::Always, PutCondition::IfVersion);
        Ok((parse_link(key, &content), unchanged))
    }

    /// Makes the link point at `digest`.
    pub(super) async fn write_link(&self, key: &Key, digest: &Digest) -> Result<()> {
        self.write_links([(key.clone(), digest)]).await
    }

    /// Makes each link point at its digest, one after the other.
    pub(super) async fn write_links<'a>(
        &self,
        pointing: impl IntoIterator<Item = (Key, &'a Digest)>,
    ) -> Result<()> {
        Ok(self.store.put_all(links(pointing)).await?)
    }

    /// Keeps the content from being deleted by a collector, and then looks it up.
    pub(super) async fn rely_on(&self, digest: &Digest) -> Result<Option<ObjectMeta>> {
        self.quarantine.rescue(digest).await?;
        self.head(&layout::blob(digest)).await
    }

    /// Removes all objects below `prefix`.
    pub(super) async fn delete_below(&self, prefix: &Key) -> Result<()> {
        let objects = self.store.list(prefix, None).map_err(Error::from);
        let delete = |meta: ObjectMeta| async move { Ok(self.store.delete(&meta.key).await?) };
        objects.try_for_each_concurrent(CONCURRENCY, delete).await
    }
}
