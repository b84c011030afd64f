//! Uploads: bytes that go up as the parts of a multipart upload while they arrive.
//!
//! What S3 cannot take yet, because it is less than a part, is the *tail* and waits in an object of its own. Beside it
//! lies the state, from which any process can go on. An upload that never fills a part becomes its object by one
//! plain request. Where the object is known from the beginning, the parts are those of the object itself; otherwise the
//! upload becomes an object of its own first, which S3 then copies.
//!
//! Of several appends in one process the later are refused. Between processes the latest wins: it takes over what the
//! others had acknowledged, and they fail when they want to acknowledge more.

mod active;
mod buffer;
mod complete;
mod memory;
mod read;
mod receive;
mod state;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};

pub(super) use self::active::Active;
pub(super) use self::complete::complete;
pub(super) use self::read::read;
use self::receive::Receiving;
use self::state::{Body, Multipart, State, Stored, Tail, state_key};
use super::bucket::Bucket;
use super::error;
use crate::{ByteStream, Error, Key, Result};

/// Adds `body` to the end of the upload.
pub(super) async fn append(
    bucket: &Arc<Bucket>,
    active: &Active,
    upload: &Key,
    offset: u64,
    body: ByteStream,
    destination: Option<&Key>,
) -> Result<u64> {
    let _turn = active.begin(upload)?;
    let stored = bucket.load(upload).await?;
    let expected = match &stored {
        Some(stored) => stored.state.size(),
        None if offset == 0 => 0,
        None => return Err(Error::NotFound(upload.clone())),
    };
    if offset != expected {
        return Err(Error::OffsetMismatch { expected });
    }
    let stored = match stored {
        Some(stored) if stored.state.is_open => Some(bucket.take_over(upload, stored).await?),
        stored => stored,
    };
    let (first, rest) = first(body).await;
    let Some(first) = first else {
        // Nothing comes, as at the end of most pushes. Only what is not there yet has to be written.
        if stored.is_some() {
            return Ok(offset);
        }
        return Receiving::new(bucket, active, upload, destination, stored).await?.finish().await;
    };
    let mut receiving = Receiving::new(bucket, active, upload, destination, stored).await?;
    let broken = receiving.receive(stream::iter([first]).chain(rest).boxed()).await?;
    let size = receiving.finish().await?;
    match broken {
        None => Ok(size),
        Some(source) => Err(Error::BodyInterrupted { written: size - offset, source }),
    }
}

/// The first bytes of the body, or what is in their place, and the rest.
async fn first(mut body: ByteStream) -> (Option<io::Result<Bytes>>, ByteStream) {
    loop {
        match body.next().await {
            Some(Ok(nothing)) if nothing.is_empty() => {}
            first => return (first, body),
        }
    }
}

/// How many bytes the upload has.
pub(super) async fn size(bucket: &Bucket, upload: &Key) -> Result<u64> {
    let stored = bucket.load(upload).await?.ok_or_else(|| Error::NotFound(upload.clone()))?;
    Ok(stored.state.size())
}

/// Drops the upload.
pub(super) async fn abort(bucket: &Bucket, active: &Active, upload: &Key) -> Result<()> {
    let _turn = active.begin(upload)?;
    match bucket.load(upload).await? {
        Some(stored) => bucket.drop_upload(upload, &stored.state).await,
        None => Ok(()),
    }
}

impl Bucket {
    /// Takes an upload away from a writer that has gone, or that is about to learn that it was too slow.
    ///
    /// What it had acknowledged is kept. It may still be sending parts, so its multipart upload is not used again.
    async fn take_over(&self, upload: &Key, stored: Stored) -> Result<Stored> {
        let mut state = stored.state.clone();
        state.is_open = false;
        match &stored.state.body {
            Body::Parts(multipart) if multipart.parts.is_empty() => {
                self.drop_parts(upload, multipart).await?;
                state.body = Body::Nothing;
            }
            Body::Parts(multipart) if multipart.target == upload.as_str() => {
                self.finish_multipart(upload, multipart).await?;
                state.body = Body::Object(multipart.size());
            }
            // Its parts are at the place of an object that it must not become yet.
            Body::Parts(_) => {
                self.drop_upload(upload, &stored.state).await?;
                return Err(Error::NotFound(upload.clone()));
            }
            Body::Nothing | Body::Object(_) => {}
        }
        self.save(upload, Some(&stored), state).await
    }

    /// Drops everything about the upload. The state goes last, so that it can be tried again.
    async fn drop_upload(&self, upload: &Key, state: &State) -> Result<()> {
        match &state.body {
            Body::Nothing => {}
            Body::Parts(multipart) => self.drop_parts(upload, multipart).await?,
            Body::Object(_) => self.delete(upload).await?,
        }
        self.drop_tail(upload, &state.tail).await?;
        self.delete(&state_key(upload)).await
    }

    async fn drop_parts(&self, upload: &Key, multipart: &Multipart) -> Result<()> {
        let target: Key = multipart.target.parse().map_err(|damage| error::invalid(upload, damage))?;
        self.drop_multipart(&target, &multipart.id).await
    }
}
