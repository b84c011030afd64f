//! Writes that are done only when nobody else has written.
//!
//! Not every server that speaks S3 refuses a write whose condition does not hold: some do not know the request, and
//! some write all the same. So the bucket is tried once. Where the server does not help, the condition is checked here,
//! one write of a key after the other: that holds among all who write through this process, and among no others.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use bytes::Bytes;
use object_store::{Attribute, GetOptions, ObjectStore as _, PutMode, PutOptions, UpdateVersion};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use uuid::Uuid;

use super::attempts::Attempts;
use super::bucket::{Bucket, Failed};
use super::error;
use crate::object_store::Stamp;
use crate::{Key, Result, Version};

const SHARDS: usize = 64;

/// Beside an object that was put on a condition: who put it, by a name that no other put has.
const MARK: Attribute = Attribute::Metadata(Cow::Borrowed("berth-put"));

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
            return self.put_marked(key, body, condition).await;
        }
        let _alone = self.conditions.lock(key).await;
        if !self.is_met(key, condition).await.map_err(Failed::Otherwise)? {
            return Err(Failed::Condition);
        }
        self.put(key, body, PutMode::Overwrite).await
    }

    /// Puts the object on a condition that the server holds.
    ///
    /// A put whose answer was lost may have been done. Then the next attempt is refused because of what this one has
    /// written, which it knows by its mark.
    async fn put_marked(
        &self,
        key: &Key,
        body: Bytes,
        condition: &Condition,
    ) -> Result<Option<String>, Failed> {
        let mark = Uuid::new_v4().to_string();
        let (mut attempts, mut may_be_done) = (Attempts::new(&self.settings.requests), false);
        loop {
            match self.put_once(key, body.clone(), condition, &mark).await {
                Err(Failed::Condition) if may_be_done => return self.recognise(key, &mark).await,
                Err(Failed::Otherwise(failure)) if failure.is_transient() => {
                    may_be_done = true;
                    if !attempts.again().await {
                        return Err(Failed::Otherwise(failure));
                    }
                }
                put => return put,
            }
        }
    }

    async fn put_once(
        &self,
        key: &Key,
        body: Bytes,
        condition: &Condition,
        mark: &str,
    ) -> Result<Option<String>, Failed> {
        let mode = match condition {
            Condition::Nothing => PutMode::Create,
            Condition::Tag(tag) => PutMode::Update(UpdateVersion { e_tag: tag.clone(), version: None }),
        };
        let mut attributes = self.attributes();
        attributes.insert(MARK, mark.to_owned().into());
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let path = self.path(key).map_err(Failed::Otherwise)?;
        let put = self.client_of_one_attempt.put_opts(&path, body.into(), options).await;
        put.map(|put| put.e_tag).map_err(|failure| Failed::from(key, failure))
    }

    /// The tag of the object, if it is the one with this mark.
    async fn recognise(&self, key: &Key, mark: &str) -> Result<Option<String>, Failed> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let path = self.path(key).map_err(Failed::Otherwise)?;
        match self.client.get_opts(&path, options).await {
            Ok(found) if found.attributes.get(&MARK).is_some_and(|found| found.as_ref() == mark) => {
                Ok(found.meta.e_tag)
            }
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Err(Failed::Unknown),
            Err(failure) => Err(Failed::Otherwise(error::explain(key, failure))),
        }
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

    /// Tries to create an object that is there.
    async fn try_conditions(&self) -> Result<bool> {
        let key = Key::default().join("_berth").join("conditional-writes").join(Uuid::new_v4());
        let put = self.put(&key, Bytes::new(), PutMode::Overwrite).await;
        put.map_err(|failed| failed.explain(&key))?;
        let is_held = match self.put_marked(&key, Bytes::new(), &Condition::Nothing).await {
            Ok(_) | Err(Failed::NotImplemented) => false,
            Err(Failed::Condition | Failed::Unknown) => true,
            Err(Failed::Otherwise(failure)) => return Err(failure),
        };
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
