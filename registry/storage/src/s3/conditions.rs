//! Writes that are done only when nobody else has written.
//!
//! Not every server that speaks S3 refuses a write whose condition does not hold: some do not know the request, and
//! some write all the same. So the bucket is tried once. Where the server does not help, the condition is checked here,
//! one write of a key after the other: that holds among all who write through this process, and among no others.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use bytes::Bytes;
use object_store::{PutMode, UpdateVersion};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use uuid::Uuid;

use super::bucket::{Bucket, Failed};
use crate::object_store::Stamp;
use crate::{Error, Key, Result, Version};

const SHARDS: usize = 64;

/// What must be there for a write to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// No object.
    Nothing,
    /// The object with this tag.
    Tag(Option<String>),
}

/// Whether the server holds conditions, once that is known, and the locks of those who hold them here.
#[derive(Debug)]
pub(super) struct Conditions {
    held_by_server: OnceCell<bool>,
    locks: Vec<Mutex<()>>,
}

impl Conditions {
    /// Whether the server holds conditions is found out, unless it is known that it does not.
    pub(super) fn new(may_be_held_by_server: bool) -> Self {
        let known = if may_be_held_by_server { None } else { Some(false) };
        Self {
            held_by_server: OnceCell::new_with(known),
            locks: (0..SHARDS).map(|_| Mutex::new(())).collect(),
        }
    }

    async fn lock(&self, key: &Key) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shard = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default();
        self.locks[shard].lock().await
    }
}

impl Bucket {
    /// Puts the object if the condition holds, and returns its tag.
    pub(super) async fn put_if(
        &self,
        key: &Key,
        body: Bytes,
        condition: &Condition,
    ) -> Result<Option<String>, Failed> {
        if self.holds_conditions().await.map_err(Failed::Otherwise)? {
            let mode = match condition {
                Condition::Nothing => PutMode::Create,
                Condition::Tag(tag) => PutMode::Update(UpdateVersion { e_tag: tag.clone(), version: None }),
            };
            return self.put(key, body, mode).await;
        }
        let _alone = self.conditions.lock(key).await;
        if !self.is_met(key, condition).await.map_err(Failed::Otherwise)? {
            return Err(Failed::Condition);
        }
        self.put(key, body, PutMode::Overwrite).await
    }

    async fn is_met(&self, key: &Key, condition: &Condition) -> Result<bool> {
        let current = match self.head(key).await {
            Err(failure) if failure.is_not_found() => None,
            found => Some(found?.version),
        };
        Ok(match (condition, current) {
            (Condition::Nothing, current) => current.is_none(),
            (Condition::Tag(tag), Some(current)) => tag_of(current.as_ref()) == *tag,
            (Condition::Tag(_), None) => false,
        })
    }

    async fn holds_conditions(&self) -> Result<bool> {
        self.conditions.held_by_server.get_or_try_init(|| self.try_conditions()).await.copied()
    }

    /// Tries to write the same new object twice.
    async fn try_conditions(&self) -> Result<bool> {
        let key = Key::default().join("_berth").join("conditional-writes").join(Uuid::new_v4());
        let mut is_held = false;
        for _ in 0..2 {
            match self.put(&key, Bytes::new(), PutMode::Create).await {
                Ok(_) | Err(Failed::NotImplemented) => {}
                Err(Failed::Condition) => is_held = true,
                Err(Failed::Otherwise(failure)) => return Err(failure),
            }
        }
        self.delete(&key).await?;
        if !is_held {
            tracing::warn!(
                bucket = self.settings.bucket,
                "the S3 server does not refuse a write whose condition does not hold: what several servers write at \
                 the same time to the same tag or upload, the last one wins"
            );
        }
        Ok(is_held)
    }
}

/// The server's word in a version.
pub(super) fn tag_of(version: Option<&Version>) -> Option<String> {
    match &version?.0 {
        Stamp::Tag(tag) => Some(tag.clone()),
        Stamp::Numbers(_) => None,
    }
}

impl Failed {
    /// What it means when there was no condition.
    pub(super) fn unconditional(self, key: &Key) -> Error {
        match self {
            Self::Otherwise(failure) => failure,
            Self::Condition | Self::NotImplemented => Error::Busy(key.clone()),
        }
    }
}
