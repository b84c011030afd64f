//! Listing: all garbage that is old enough, for the quarantine or for whoever asks what would be deleted.

use berth_storage::ObjectMeta;
use futures::TryStreamExt as _;

use super::look::Look;
use super::report::{Candidate, Phase, Reason};
use crate::repository::quarantine::ListWriter;
use crate::repository::{Result, layout};
use berth_oci::Digest;

impl Look<'_> {
    /// Writes all garbage on the list.
    pub(super) async fn list_garbage(&self, list: &mut ListWriter) -> Result<()> {
        self.collector.enter(Phase::Listing).await?;
        for manifest in &self.untagged {
            let is_new = list.add(&self.digests.digest(*manifest)).await?;
            self.collector.report.update(|run| run.quarantined += u64::from(is_new));
        }
        let store = self.collector.state.store.clone();
        let mut blobs = layout::list_blobs(&*store);
        while let Some(blob) = blobs.try_next().await? {
            let Some(digest) = self.garbage(&blob) else { continue };
            let is_new = list.add(&digest).await?;
            self.collector.report.update(|run| {
                run.quarantined += u64::from(is_new);
                run.bytes_quarantined += blob.size;
            });
            self.collector.tell_progress().await?;
        }
        Ok(())
    }

    /// Tells of all garbage as that which would be deleted.
    pub(super) async fn list_candidates(&self) -> Result<()> {
        let store = self.collector.state.store.clone();
        let mut blobs = layout::list_blobs(&*store);
        while let Some(blob) = blobs.try_next().await? {
            let Some(digest) = self.garbage(&blob) else { continue };
            self.collector.report.update(|run| {
                run.blobs_deleted += 1;
                run.bytes_freed += blob.size;
            });
            let (size, reason) = (blob.size, Reason::Unreferenced);
            self.collector.report.candidate(Candidate { digest, size, reason, repository: None });
        }
        Ok(())
    }

    /// The digest of the blob, if it is neither needed nor young.
    fn garbage(&self, blob: &ObjectMeta) -> Option<Digest> {
        let digest = layout::digest_of_blob(&blob.key)?;
        (!self.is_live(&digest) && !self.is_young(blob.modified)).then_some(digest)
    }
}
