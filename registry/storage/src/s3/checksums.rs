//! What shows that a part was damaged on its way.
//!
//! Over plain HTTP a signature of all bytes does. It is one more SHA-256 of them here and one more at the server, each as dear as
//! that of the digest; a CRC costs next to nothing. Unlike a signature it stops nobody who changes a part on purpose. Whoever
//! can do that can change what is read as well, and of both the digest tells the clients.
//!
//! Not every server looks at a checksum: some ignore what they do not know. So the server is tried once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest};
use hyper::header::{HeaderName, HeaderValue};
use object_store::PutPayload;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::bucket::Bucket;
use super::endpoint::Place;
use crate::{Key, Result};

/// The header that names the checksum of all parts.
pub(super) const ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");

/// CRC-32C: servers and processors know no other one as well.
pub(super) const CRC32C: HeaderValue = HeaderValue::from_static("CRC32C");

/// The header that holds the checksum of a part.
pub(super) const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-crc32c");

/// By what a server notices a part that was damaged on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Guard {
    /// A signature of all bytes. Over TLS they are not signed, because TLS guards them.
    #[default]
    Signature,
    /// A checksum, beside a signature of everything else.
    Checksum,
}

/// Whether the server looks at checksums, once that is known.
#[derive(Debug)]
pub(super) struct Checksums {
    are_verified: OnceCell<bool>,
}

impl Checksums {
    /// Whether the server looks at them is found out, unless nobody needs them.
    pub(super) fn new(place: &Place) -> Self {
        Self { are_verified: OnceCell::new_with(place.is_over_tls().then_some(false)) }
    }
}

/// The checksum of a part, as its header says it.
pub(super) fn checksum(part: &PutPayload) -> String {
    let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
    part.iter().for_each(|bytes| crc.update(bytes));
    let [.., a, b, c, d] = crc.finalize().to_be_bytes();
    STANDARD.encode([a, b, c, d])
}

impl Bucket {
    /// The cheapest guard that the server offers.
    pub(super) async fn guard(&self) -> Guard {
        match self.checksums.are_verified.get_or_try_init(|| self.try_checksums()).await {
            Ok(true) => Guard::Checksum,
            // What could not be found out is tried again by the next upload.
            Ok(false) | Err(_) => Guard::Signature,
        }
    }

    /// Tries to send a part under the checksum of another one and under its own, and to make an object of it.
    async fn try_checksums(&self) -> Result<bool> {
        let key = Key::default().join("_berth").join("checksums").join(Uuid::new_v4());
        let Some(id) = answered(self.start_multipart(&key, Guard::Checksum).await)? else { return Ok(false) };
        let are_verified = self.try_parts(&key, &id).await;
        // What cannot be removed is four bytes, and tells nothing of checksums.
        let _left = (self.drop_multipart(&key, &id).await, self.delete(&key).await);
        are_verified
    }

    async fn try_parts(&self, key: &Key, id: &str) -> Result<bool> {
        let (part, another) = (PutPayload::from_static(b"part"), PutPayload::from_static(b"pert"));
        let wrong = self.put_with_checksum(key, id, 0, part.clone(), checksum(&another)).await;
        if answered(wrong)?.is_some() {
            return Ok(false);
        }
        let right = self.put_with_checksum(key, id, 0, part.clone(), checksum(&part)).await;
        let Some(part) = answered(right)? else { return Ok(false) };
        let completed = self.complete_multipart(key, id, Guard::Checksum, &[part]).await;
        Ok(answered(completed)?.is_some())
    }
}

/// What the server has done, or nothing if it has refused. That it could not be asked is a failure.
fn answered<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(failure) if failure.is_transient() => Err(failure),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_s3_means() {
        // The value by which this CRC is known, e3069283.
        let part = PutPayload::from_iter(["1234", "", "56789"].map(Bytes::from));
        assert_eq!(checksum(&part), "4waSgw==");
    }
}
