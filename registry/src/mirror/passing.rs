//! What is passed on from upstream to one client, and not kept: what is pulled while the storage takes nothing in, and parts of
//! blobs of which the whole is still far from there.

use std::{io, sync::Arc};

use berth_oci::{ByteRange, Digest};
use berth_storage::{Body, ByteStream};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Error, Mirror, Result, blobs::part, flight::Flight};
use crate::{
    metrics::Pulled,
    repository::{BlobContent, Hasher, Repository},
};

/// So far ahead of what has arrived, a part is asked for by itself.
const FAR: u64 = 8 << 20;

impl Mirror {
    /// A part of a blob that is on its way but will not be there for long, if not too many are asked for already.
    pub(super) async fn part_ahead(
        &self,
        repository: &Repository,
        flight: &Flight,
        position: u64,
        end: u64,
    ) -> Option<ByteStream> {
        if position < flight.arrived()?.saturating_add(FAR) {
            return None;
        }
        let permit = Arc::clone(&self.parts).try_acquire_owned().ok()?;
        let name = self.name_there(repository.name()).ok()?;
        let asked = self.source.blob(&name, &flight.digest, position).await;
        let blob = self.heard_of_blob(asked).ok()?;
        let pulls = self.metrics.pulls(Pulled::Blob);
        let body = cut(blob.body, end - position).inspect_ok(move |bytes| {
            let _until_the_end = &permit;
            pulls.note_pulled(bytes.len() as u64);
        });
        Some(body.boxed())
    }

    /// A blob from upstream, for this client alone.
    pub(super) async fn pass_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        range: Option<ByteRange>,
    ) -> Result<BlobContent> {
        let name = self.name_there(repository.name())?;
        let size = self.heard_of_blob(self.source.head_blob(&name, digest).await)?.ok_or(Error::NotFound)?;
        let (range, position, end) = part(range, size)?;
        let blob = self.heard_of_blob(self.source.blob(&name, digest, position).await)?;
        let pulls = self.metrics.pulls(Pulled::Blob);
        let body =
            cut(blob.body, end - position).inspect_ok(move |bytes| pulls.note_pulled(bytes.len() as u64));
        // Of a part, nobody can tell whether it is the right one.
        let body = if range.is_some() { body.boxed() } else { verified(body.boxed(), *digest) };
        Ok(BlobContent { digest: *digest, size, range, body: Body::Stream(body) })
    }
}

/// The first bytes of a body.
fn cut(body: ByteStream, length: u64) -> ByteStream {
    stream::try_unfold((body, length), |(mut body, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut bytes) = body.try_next().await? else {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        };
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - bytes.len() as u64;
        Ok(Some((bytes, (body, left))))
    })
    .boxed()
}

/// A body whose last piece comes only when the whole has this digest.
fn verified(body: ByteStream, digest: Digest) -> ByteStream {
    let begin = (body, Hasher::new(digest.algorithm()), None::<Bytes>, digest);
    stream::try_unfold(Some(begin), |state| async move {
        let Some((mut body, mut hasher, mut held, digest)) = state else { return Ok(None) };
        loop {
            let Some(bytes) = body.try_next().await? else {
                if hasher.finish() != digest {
                    return Err(io::Error::other(
                        "upstream has sent something else than what it was asked for",
                    ));
                }
                return Ok(held.map(|last| (last, None)));
            };
            hasher.update(&bytes);
            if let Some(before) = held.replace(bytes) {
                return Ok(Some((before, Some((body, hasher, held, digest)))));
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::digest_of;
    use berth_oci::Algorithm;

    fn body(pieces: &'static [&'static str]) -> ByteStream {
        stream::iter(pieces).map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).boxed()
    }

    #[tokio::test]
    async fn what_has_the_wrong_digest_never_comes_whole() {
        let right = digest_of(Algorithm::Sha256, b"abcdef");
        let pieces: Vec<_> = verified(body(&["abc", "def"]), right).try_collect().await.unwrap();
        assert_eq!(pieces.concat(), b"abcdef");
        let mut wrong = verified(body(&["abc", "dex"]), right);
        assert_eq!(wrong.try_next().await.unwrap().unwrap(), "abc");
        assert!(wrong.try_next().await.is_err());
    }

    #[tokio::test]
    async fn a_body_is_cut_and_must_not_be_short() {
        let pieces: Vec<_> = cut(body(&["abc", "def"]), 4).try_collect().await.unwrap();
        assert_eq!(pieces.concat(), b"abcd");
        assert!(cut(body(&["abc"]), 4).try_collect::<Vec<_>>().await.is_err());
    }
}
