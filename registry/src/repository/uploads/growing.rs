//! Uploads that others read while they grow: what is pulled through a mirror is given to clients as it comes.

use std::ops::Range;

use berth_oci::{Digest, UploadId};
use berth_storage::{ByteStream, Error as StorageError};

use super::{Upload, Uploads, detached};
use crate::repository::{BlobInfo, Result, layout};

impl Uploads<'_> {
    /// Takes in a whole blob at once, by an upload of this id, from which others may read meanwhile.
    pub async fn push_whole_as(&self, id: UploadId, digest: &Digest, body: ByteStream) -> Result<BlobInfo> {
        self.0.check_room().await?;
        let mut upload = Upload::new(self.0, id).towards(digest);
        let digest = *digest;
        detached(async move {
            let pushed = match upload.receive(digest.algorithm(), None, body).await {
                Ok(hasher) => upload.publish(hasher, &digest).await,
                Err(error) => Err(error),
            };
            if pushed.is_err() {
                // Nobody knows its name, so nobody can go on; and on a full disk its bytes would be in the way.
                upload.discard_remains().await;
            }
            pushed
        })
        .await
    }

    /// Whether the storage can read what it is still taking in.
    pub fn can_be_read_while_they_grow(&self) -> bool {
        self.0.state.store.reads_growing_uploads()
    }

    /// What has arrived of such an upload, cut to its end. `None` when there is none any more, or the storage cannot read
    /// what is still being written.
    pub async fn arrived(&self, id: &UploadId, range: Range<u64>) -> Result<Option<ByteStream>> {
        match self.0.state.store.read_upload(&layout::upload_data(&self.0.name, id), range).await {
            Ok(body) => Ok(Some(body)),
            Err(StorageError::NotFound(_) | StorageError::Busy(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
