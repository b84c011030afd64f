//! Sweeping: deletes what has rested in quarantine and is garbage still.
//!
//! Links go before the content that they lead to, so that an interrupted sweep leaves content without links,
//! which the next run finds, and no links without content. A part of the list goes when all of it is dealt with.

use std::pin::pin;

use berth_oci::Digest;
use berth_storage::{Key, ObjectMeta};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::look::Look;
use super::report::Phase;
use crate::repository::{Repository, Result, layout, quarantine};

/// How many digests are announced and deleted at a time.
pub(super) const BATCH: usize = 256;

/// How many requests to the storage go on at once.
pub(super) const CONCURRENCY: usize = 16;

impl Look<'_> {
    /// Deletes every blob that has rested and is neither needed nor young, and the links to it.
    pub(super) async fn sweep(&self) -> Result<()> {
        if self.rested.is_empty() {
            return Ok(());
        }
        self.collector.enter(Phase::Deleting).await?;
        let mut repositories = pin!(self.collector.repositories());
        while let Some(repository) = repositories.try_next().await? {
            self.delete_links(&repository).await?;
        }
        for number in 0..self.rested.parts() {
            self.delete_blobs(number).await?;
        }
        Ok(())
    }

    async fn delete_links(&self, repository: &Repository) -> Result<()> {
        let folder = layout::layers(&repository.name);
        let links = repository.state.store.list(&folder, None).try_filter_map(|link| {
            let digest = layout::digest_of_link(&link.key, &folder);
            let condemned = digest.filter(|digest| self.is_condemned(digest));
            std::future::ready(Ok(condemned.map(|digest| (digest, link.key))))
        });
        let mut batches = pin!(links.try_chunks(BATCH));
        while let Some(batch) = batches.next().await {
            self.delete_batch(batch.map_err(|failed| failed.1)?, Target::Link).await?;
        }
        Ok(())
    }

    async fn delete_blobs(&self, number: u32) -> Result<()> {
        let store = &self.collector.state.store;
        let listed = quarantine::part(&**store, self.rested.id(), number).await?;
        let rescued = listed.iter().filter(|digest| !self.is_condemned(digest)).count();
        self.collector.report.update(|run| run.rescued += rescued as u64);
        let condemned: Vec<_> = listed.into_iter().filter(|digest| self.is_condemned(digest)).collect();
        for batch in condemned.chunks(BATCH) {
            let batch = batch.iter().map(|digest| (*digest, layout::blob(digest))).collect();
            self.delete_batch(batch, Target::Content).await?;
        }
        Ok(store.delete(&layout::collection::list_part(self.rested.id(), number)).await?)
    }

    /// Deletes these objects, each of which belongs to a digest, except what somebody relies on.
    async fn delete_batch(&self, batch: Vec<(Digest, Key)>, target: Target) -> Result<()> {
        self.collector.tell_progress().await?;
        let state = &self.collector.state;
        let digests = batch.iter().map(|(digest, _)| *digest);
        let announced = state.quarantine.announce(&self.rested, digests).await?;
        let announcement = &announced;
        let deletions = batch.into_iter().map(|(digest, key)| async move {
            let Some(content) = self.old_content(&digest).await? else { return Ok(()) };
            let is_condemned = announcement.condemns(&digest, state.clock.now());
            if is_condemned {
                state.store.delete(&key).await?;
            }
            if target == Target::Content {
                self.count(&content, is_condemned);
            }
            Ok(())
        });
        // All of them end before the announcement is taken back, whatever becomes of one.
        let ended: Vec<Result<()>> = stream::iter(deletions).buffer_unordered(CONCURRENCY).collect().await;
        announced.withdraw().await?;
        ended.into_iter().collect()
    }

    /// The content, if it is there and was not brought again.
    async fn old_content(&self, digest: &Digest) -> Result<Option<ObjectMeta>> {
        let content = self.collector.state.head(&layout::blob(digest)).await?;
        Ok(content.filter(|meta| !self.is_young(meta.modified)))
    }

    fn count(&self, content: &ObjectMeta, is_deleted: bool) {
        self.collector.report.update(|run| {
            if is_deleted {
                run.blobs_deleted += 1;
                run.bytes_freed += content.size;
                tracing::debug!(key = %content.key, size = content.size, "deleted a blob");
            } else {
                run.rescued += 1;
            }
        });
    }
}

/// What of a digest is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Link,
    Content,
}
