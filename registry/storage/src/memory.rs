//! Objects in the memory of the process: for tests, and for registries that nobody will miss.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};

use tokio::task;

use crate::object_store::Stamp;
use crate::{ByteStream, Clock, Error, Key, Object, ObjectMeta, ObjectStore, PutCondition, Result, Version};

/// An object store that lives as long as the process.
#[derive(Debug, Default)]
pub struct Memory {
    clock: Clock,
    entries: Mutex<BTreeMap<Key, Entry>>,
    busy: Mutex<BTreeSet<Key>>,
    versions: AtomicU64,
    patience: Duration,
}

/// An object, or an upload in progress.
#[derive(Debug)]
struct Entry {
    bytes: Vec<u8>,
    modified: SystemTime,
    version: Option<Version>,
}

impl Memory {
    /// A store without objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store without objects whose objects are dated by `clock`.
    pub fn with_clock(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// The same store with the patience of one that is far away.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entries after giving other tasks a turn: whoever works on a disk has to wait, and tests should
    /// meet what that brings.
    async fn entries_after_a_turn(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        task::yield_now().await;
        self.entries()
    }

    /// A new object.
    fn object(&self, bytes: Vec<u8>) -> Entry {
        let number = self.versions.fetch_add(1, Ordering::Relaxed);
        let version = Version(Stamp::Numbers([number, 0, 0]));
        Entry { bytes, modified: self.clock.now(), version: Some(version) }
    }

    fn writer<'a>(&'a self, upload: &'a Key) -> Result<Writer<'a>> {
        if self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(upload.clone()) {
            Ok(Writer { store: self, upload })
        } else {
            Err(Error::Busy(upload.clone()))
        }
    }

    /// The entries below `prefix` after the key `start_after`.
    fn below(&self, prefix: &Key, start_after: Option<&Key>) -> Vec<ObjectMeta> {
        let first = start_after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries();
        let below = entries.range::<Key, _>((first, Bound::Unbounded));
        below
            .filter(|(key, _)| key.strip_prefix(prefix).is_some())
            .map(|(key, entry)| entry.meta(key))
            .collect()
    }
}

impl Entry {
    fn meta(&self, key: &Key) -> ObjectMeta {
        ObjectMeta {
            key: key.clone(),
            size: self.bytes.len() as u64,
            modified: self.modified,
            version: self.version.clone(),
        }
    }

    fn slice(&self, range: Option<Range<u64>>) -> Bytes {
        let end = self.bytes.len();
        let index = |offset: u64| usize::try_from(offset).map_or(end, |offset| offset.min(end));
        let range = range.map_or(0..end, |range| index(range.start)..index(range.end));
        Bytes::copy_from_slice(self.bytes.get(range).unwrap_or_default())
    }
}

/// The one writer of an upload.
struct Writer<'a> {
    store: &'a Memory,
    upload: &'a Key,
}

impl Writer<'_> {
    fn extend(&self, chunk: &[u8]) {
        let mut entries = self.store.entries();
        let now = self.store.clock.now();
        let new = || Entry { bytes: Vec::new(), modified: now, version: None };
        let entry = entries.entry(self.upload.clone()).or_insert_with(new);
        entry.bytes.extend_from_slice(chunk);
        entry.modified = now;
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.store.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(self.upload);
    }
}

#[async_trait]
impl ObjectStore for Memory {
    async fn head(&self, key: &Key) -> Result<ObjectMeta> {
        self.entries_after_a_turn()
            .await
            .get(key)
            .map(|entry| entry.meta(key))
            .ok_or_else(|| Error::NotFound(key.clone()))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Object> {
        let entries = self.entries_after_a_turn().await;
        let entry = entries.get(key).ok_or_else(|| Error::NotFound(key.clone()))?;
        let body = entry.slice(range);
        Ok(Object { meta: entry.meta(key), body: stream::iter([Ok(body)]).boxed().into() })
    }

    async fn put(&self, key: &Key, body: Bytes, condition: PutCondition) -> Result<()> {
        let mut entries = self.entries_after_a_turn().await;
        let current = entries.get(key);
        match condition {
            PutCondition::IfAbsent if current.is_some() => return Err(Error::AlreadyExists(key.clone())),
            PutCondition::IfVersion(version)
                if current.and_then(|entry| entry.version.as_ref()) != Some(&version) =>
            {
                return Err(Error::VersionMismatch(key.clone()));
            }
            _ => {}
        }
        entries.insert(key.clone(), self.object(body.to_vec()));
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.entries_after_a_turn().await.remove(key);
        Ok(())
    }

    fn list(&self, prefix: &Key, start_after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        stream::iter(self.below(prefix, start_after).into_iter().map(Ok)).boxed()
    }

    fn children(&self, prefix: &Key, start_after: Option<&str>) -> BoxStream<'_, Result<String>> {
        let below = self.below(prefix, None);
        let names = below.iter().filter_map(|meta| meta.key.strip_prefix(prefix)?.split('/').next());
        let names: BTreeSet<_> = names.filter(|name| start_after.is_none_or(|last| *name > last)).collect();
        let names: Vec<_> = names.into_iter().map(|name| Ok(name.to_owned())).collect();
        stream::iter(names).boxed()
    }

    async fn append(
        &self,
        upload: &Key,
        offset: u64,
        mut body: ByteStream,
        _destination: Option<&Key>,
    ) -> Result<u64> {
        let writer = self.writer(upload)?;
        let expected = match self.upload_size(upload).await {
            Err(Error::NotFound(_)) if offset == 0 => 0,
            size => size?,
        };
        if offset != expected {
            return Err(Error::OffsetMismatch { expected });
        }
        writer.extend(&[]);
        let mut written = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|source| Error::BodyInterrupted { written, source })?;
            writer.extend(&chunk);
            written += chunk.len() as u64;
        }
        Ok(offset + written)
    }

    async fn upload_size(&self, upload: &Key) -> Result<u64> {
        Ok(self.head(upload).await?.size)
    }

    async fn complete(&self, upload: &Key, size: u64, object: &Key) -> Result<()> {
        let _writer = self.writer(upload)?;
        let mut entries = self.entries_after_a_turn().await;
        let expected = entries.get(upload).map(|entry| entry.bytes.len() as u64);
        if let Some(expected) = expected.filter(|expected| *expected != size) {
            return Err(Error::OffsetMismatch { expected });
        }
        let entry = entries.remove(upload).ok_or_else(|| Error::NotFound(upload.clone()))?;
        entries.entry(object.clone()).or_insert_with(|| self.object(entry.bytes));
        Ok(())
    }

    async fn abort(&self, upload: &Key) -> Result<()> {
        let _writer = self.writer(upload)?;
        self.entries_after_a_turn().await.remove(upload);
        Ok(())
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}
