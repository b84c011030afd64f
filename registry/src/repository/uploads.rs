//! Uploads: blobs on their way in.
//!
//! Nothing about an upload has to be kept in memory between requests: its size is that of its data, and the state of
//! its hash is kept beside the data. So any process can continue it. Its bytes are hashed while they are
//! being stored. Those of one that is still little take less time to be hashed again than to be flushed, so no state is
//! kept of it.

mod abandoned;
mod fresh_hashes;
mod growing;
mod hashing;
mod receive;

use berth_oci::{Algorithm, ContentRange, Digest, UploadId};
use berth_storage::ByteStream;
use jiff::{Timestamp, Unit};

pub(super) use self::abandoned::{abandoned, remove_abandoned};
pub(super) use self::fresh_hashes::FreshHashes;
use self::receive::Upload;
use super::detached::detached;
use super::hasher::Hasher;
use super::{BlobInfo, Error, Repository, Result, layout};

/// The uploads of a repository.
#[derive(Debug)]
pub struct Uploads<'a>(pub(super) &'a Repository);

impl Uploads<'_> {
    /// Starts an upload.
    pub async fn start(&self) -> Result<UploadId> {
        self.start_for(Algorithm::Sha256).await
    }

    /// Starts an upload of a blob whose digest will be of that algorithm. One of another is accepted as well; it takes
    /// reading the content once more.
    pub async fn start_for(&self, algorithm: Algorithm) -> Result<UploadId> {
        self.0.check_room().await?;
        let id = UploadId::random();
        let now = Timestamp::try_from(self.0.state.clock.now()).unwrap_or_default();
        let now = now.round(Unit::Second).unwrap_or(now).to_string();
        let key = layout::upload_started_at(&self.0.name, &id);
        // That it is there is what makes the upload exist; what it says is for those who list uploads. An upload without bytes
        // has nothing to lose: whoever finds that a failure of power has taken it away begins another one.
        self.0.state.store.note(&key, now.into()).await?;
        if algorithm != Algorithm::Sha256 {
            // The state of the hash of nothing tells later requests what to compute.
            Upload::new(self.0, id).save(&Hasher::new(algorithm)).await?;
        }
        Ok(id)
    }

    /// How many bytes the upload has.
    pub async fn status(&self, id: &UploadId) -> Result<u64> {
        Ok(self.open(id).await?.size())
    }

    /// Adds a chunk, and returns how many bytes the upload has then. Without a `range`, it is added at the
    /// end.
    ///
    /// What arrived before a body broke off is kept, even when the caller goes away with the client.
    pub async fn append(&self, id: &UploadId, range: Option<ContentRange>, body: ByteStream) -> Result<u64> {
        self.0.check_room().await?;
        let mut upload = self.open(id).await?;
        if upload.is_spent() {
            return Err(Error::UploadUnknown(*id));
        }
        detached(async move {
            let algorithm = upload.algorithm().await?;
            let hasher = upload.receive(algorithm, range, body).await?;
            upload.keep(hasher).await?;
            Ok(upload.size())
        })
        .await
    }

    /// Adds the last chunk, which may be empty, and turns the upload into the blob `digest`.
    ///
    /// An upload whose content has another digest is dropped.
    pub async fn finish(
        &self,
        id: &UploadId,
        range: Option<ContentRange>,
        body: ByteStream,
        digest: &Digest,
    ) -> Result<BlobInfo> {
        self.0.check_writable()?;
        let mut upload = self.open(id).await?.towards(digest);
        let digest = *digest;
        detached(async move {
            let hasher = upload.receive(digest.algorithm(), range, body).await?;
            let published = upload.publish(hasher.clone(), &digest).await;
            if published.is_err() {
                upload.remember(&hasher, &digest).await;
            }
            published
        })
        .await
    }

    /// Drops the upload.
    pub async fn cancel(&self, id: &UploadId) -> Result<()> {
        self.0.check_writable()?;
        self.open(id).await?.discard().await
    }

    /// Takes in a whole blob at once.
    pub async fn push_whole(&self, digest: &Digest, body: ByteStream) -> Result<BlobInfo> {
        self.push_whole_as(UploadId::random(), digest, body).await
    }

    async fn open(&self, id: &UploadId) -> Result<Upload> {
        Upload::open(self.0, *id).await?.ok_or(Error::UploadUnknown(*id))
    }
}
