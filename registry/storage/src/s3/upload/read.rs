//! An upload is read before it is complete: when the hash of its beginning is not remembered.
//!
//! S3 shows no parts. So they become an object of their own, with the key of the upload, from which it goes on.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::super::bucket::Bucket;
use super::state::{Body, Stored};
use super::{Active, Tail};
use crate::{ByteStream, Error, Key, Object, Result};

/// The bytes of the range, cut to what the upload has.
pub(in super::super) async fn read(
    bucket: &Bucket,
    active: &Active,
    upload: &Key,
    range: Range<u64>,
) -> Result<ByteStream> {
    let _turn = active.begin(upload)?;
    let stored = bucket.load(upload).await?.ok_or_else(|| Error::NotFound(upload.clone()))?;
    let stored = bucket.as_object(upload, stored).await?;
    let size = stored.state.body.size();
    let first = match stored.state.body {
        Body::Object(_) if range.start < size => {
            let Object { body, .. } = bucket.get(upload, Some(range.start..range.end.min(size))).await?;
            body.boxed()
        }
        _ => stream::empty().boxed(),
    };
    let tail = bucket.load_tail(upload, &stored.state.tail).await?;
    let tail = slice(&tail, range.start.saturating_sub(size)..range.end.saturating_sub(size));
    Ok(first.chain(stream::iter([io::Result::Ok(tail)])).boxed())
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
    bytes.slice(at(range.start)..at(range.end).max(at(range.start)))
}

impl Bucket {
    /// The upload without parts that nobody can read.
    async fn as_object(&self, upload: &Key, stored: Stored) -> Result<Stored> {
        let Body::Parts(multipart) = &stored.state.body else { return Ok(stored) };
        if stored.state.is_open {
            return Err(Error::Busy(upload.clone()));
        }
        // At the place of another object, its parts must not become one before they are known to be right, which nobody can
        // know any more.
        if multipart.target != upload.as_str() {
            self.drop_upload(upload, &stored.state).await?;
            return Err(Error::NotFound(upload.clone()));
        }
        let mut multipart = multipart.clone();
        let tail = self.load_tail(upload, &stored.state.tail).await?;
        self.add_last(upload, &mut multipart, tail).await?;
        self.finish_multipart(upload, &multipart).await?;
        let mut state = stored.state.clone();
        state.body = Body::Object(multipart.size());
        let before = std::mem::replace(&mut state.tail, Tail::Inline(String::new()));
        let saved = self.save(upload, Some(&stored), state).await?;
        self.drop_tail(upload, &before).await?;
        Ok(saved)
    }
}
