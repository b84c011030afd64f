//! Sweeping: deletes the content that was not marked.
//!
//! Links go before the content that they lead to, so that an interrupted sweep leaves content without links,
//! which the next run finds, and no links without content.

use berth_oci::Digest;
use berth_storage::ObjectMeta;
use futures::TryStreamExt as _;

use super::collector::Collector;
use crate::repository::digest_set::DigestSet;
use crate::repository::{Repository, Result, layout};

impl Collector {
    /// Deletes every blob that is neither needed nor young, and the links to it.
    pub(super) async fn sweep(self) -> Result<()> {
        let garbage = self.garbage().await?;
        if self.options.dry_run || garbage.is_empty() {
            return Ok(());
        }
        for repository in self.repositories().await? {
            self.delete_links(&repository, &garbage).await?;
        }
        for digest in garbage.iter() {
            self.delete_blob(&digest).await?;
        }
        Ok(())
    }

    /// The blobs that may go. In a dry run they are counted here, because they go no further.
    async fn garbage(&self) -> Result<DigestSet> {
        let mut garbage = DigestSet::default();
        let mut blobs = self.state.store.list(&layout::blobs(), None);
        while let Some(blob) = blobs.try_next().await? {
            let Some(digest) = layout::digest_of_blob(&blob.key) else { continue };
            if self.live.contains(&digest) || self.is_young(blob.modified) {
                continue;
            }
            garbage.insert(&digest);
            if self.options.dry_run {
                self.report.blob(blob.size);
            }
        }
        Ok(garbage)
    }

    /// The blob, if it is there and nobody has relied on it since the run began. The caller has condemned it.
    async fn still_garbage(&self, digest: &Digest) -> Result<Option<ObjectMeta>> {
        let blob = self.state.head(&layout::blob(digest)).await?;
        Ok(blob.filter(|meta| !self.is_young(meta.modified)))
    }

    async fn delete_links(&self, repository: &Repository, garbage: &DigestSet) -> Result<()> {
        let folder = layout::layers(&repository.name);
        let mut links = self.state.store.list(&folder, None);
        while let Some(link) = links.try_next().await? {
            let Some(digest) = layout::digest_of_link(&link.key, &folder) else { continue };
            if garbage.contains(&digest) {
                let _condemned = self.state.liveness.condemn(&digest).await;
                if self.still_garbage(&digest).await?.is_some() {
                    self.state.store.delete(&link.key).await?;
                }
            }
        }
        Ok(())
    }

    async fn delete_blob(&self, digest: &Digest) -> Result<()> {
        let _condemned = self.state.liveness.condemn(digest).await;
        if let Some(meta) = self.still_garbage(digest).await? {
            self.state.store.delete(&meta.key).await?;
            self.report.blob(meta.size);
            tracing::debug!(%digest, size = meta.size, "deleted a blob");
        }
        Ok(())
    }
}
