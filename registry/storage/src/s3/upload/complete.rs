//! An upload becomes an object.

use bytes::Bytes;

use super::super::bucket::{Bucket, Failed};
use super::super::checksums::Guard;
use super::super::conditions::Condition;
use super::super::copy;
use super::super::multipart::Part;
use super::Active;
use super::state::{Body, Multipart, State};
use crate::{Error, Key, Result};

/// Turns the upload into the object.
pub(in super::super) async fn complete(
    bucket: &Bucket,
    active: &Active,
    upload: &Key,
    size: u64,
    object: &Key,
) -> Result<()> {
    let _turn = active.begin(upload)?;
    let stored = bucket.load(upload).await?.ok_or_else(|| Error::NotFound(upload.clone()))?;
    let mut state = stored.state;
    if state.is_open {
        return Err(Error::Busy(upload.clone()));
    }
    if state.size() != size {
        return Err(Error::OffsetMismatch { expected: state.size() });
    }
    if !matches!(state.body, Body::Nothing) && bucket.exists(object).await? {
        bucket.drop_remains(upload, &state).await;
        return Ok(());
    }
    let _room = active.memory.room(state.tail.size()).await;
    let tail = bucket.load_tail(upload, &state.tail).await?;
    match &mut state.body {
        Body::Nothing => bucket.create(object, tail).await?,
        Body::Object(size) => bucket.join(upload, *size, tail, object).await?,
        Body::Parts(multipart) if multipart.target == object.as_str() => {
            bucket.add_last(object, multipart, tail).await?;
            bucket.finish_multipart(object, multipart).await?;
            state.body = Body::Nothing;
        }
        Body::Parts(multipart) if multipart.target == upload.as_str() => {
            bucket.add_last(upload, multipart, tail).await?;
            bucket.finish_multipart(upload, multipart).await?;
            let size = multipart.size();
            bucket.copy(upload, size, object).await?;
            state.body = Body::Object(size);
        }
        // The parts are at the place of another object, which must not have this content; and S3 moves no parts.
        Body::Parts(_) => {
            bucket.drop_upload(upload, &state).await?;
            return Err(Error::NotFound(upload.clone()));
        }
    }
    bucket.drop_remains(upload, &state).await;
    Ok(())
}

impl Bucket {
    /// Drops the upload, of which nothing is needed any more. The object is there, and that is what counts.
    async fn drop_remains(&self, upload: &Key, state: &State) {
        if let Err(error) = self.drop_upload(upload, state).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(%upload, error, "the remains of a finished upload could not be removed");
        }
    }

    async fn exists(&self, key: &Key) -> Result<bool> {
        match self.head(key).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_not_found() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Puts an object that is no larger than a part, unless it is there.
    async fn create(&self, object: &Key, body: Bytes) -> Result<()> {
        match self.put_if(object, body, &Condition::Nothing).await {
            Ok(_) | Err(Failed::Condition | Failed::Unknown) => Ok(()),
            Err(failed) => Err(failed.explain(object)),
        }
    }

    /// Sends the tail as the last part, if there is any.
    pub(super) async fn add_last(&self, target: &Key, multipart: &mut Multipart, tail: Bytes) -> Result<()> {
        if tail.is_empty() {
            return Ok(());
        }
        let (size, index) = (tail.len() as u64, multipart.parts.len());
        let part = self.put_part(target, &multipart.id, index, multipart.guard, tail.into()).await;
        multipart.parts.push(match part {
            // It was finished before, and whoever did that did not live to note it.
            Err(failure) if failure.is_not_found() => Part { tag: String::new(), size, checksum: None },
            part => part?,
        });
        Ok(())
    }

    /// Makes the parts an object. That this was done before is success.
    pub(super) async fn finish_multipart(&self, target: &Key, multipart: &Multipart) -> Result<()> {
        self.complete_multipart(target, &multipart.id, multipart.guard, &multipart.parts).await
    }

    /// Makes an object of the one that the upload has become and of its tail.
    async fn join(&self, upload: &Key, size: u64, tail: Bytes, object: &Key) -> Result<()> {
        if tail.is_empty() {
            return self.copy(upload, size, object).await;
        }
        let mut multipart = self.start(object, Guard::default(), copy::LARGEST_COPY).await?;
        let path = self.path(object)?;
        for (index, range) in copy::ranges(size, copy::LARGEST_COPY).into_iter().enumerate() {
            multipart.parts.push(self.copy_part(upload, range, &path, &multipart.id, index).await?);
        }
        self.add_last(object, &mut multipart, tail).await?;
        self.finish_multipart(object, &multipart).await
    }
}
