//! Sweeping: deletes what has rested in quarantine and is garbage still.
//!
//! Links go before the content that they lead to, so that an interrupted sweep leaves content without links,
//! which the next run finds, and no links without content. A part of the list goes when all of it is dealt with.

use std::future::ready;
use std::pin::pin;
use std::time::Instant;

use berth_oci::Digest;
use berth_storage::{Key, ObjectMeta};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::look::Look;
use super::report::Phase;
use crate::repository::quarantine::Announcement;
use crate::repository::{Repository, Result, layout, quarantine};

/// How many requests to the storage go on at once.
pub(super) const CONCURRENCY: usize = 16;

/// Something that is to be deleted, and the digest that it belongs to.
type Condemned = (Digest, Key);

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
        let links = layout::list_links(&*repository.state.store, &folder);
        let mut condemned = pin!(links.try_filter_map(|link| {
            let digest = layout::digest_of_link(&link.key, &folder);
            let condemned = digest.filter(|digest| self.is_condemned(digest));
            ready(Ok(condemned.map(|digest| (digest, link.key))))
        }));
        loop {
            let batch: Vec<_> = condemned.as_mut().take(self.pace.batch()).try_collect().await?;
            if batch.is_empty() {
                return Ok(());
            }
            self.delete_batch(&batch, Target::Link).await?;
        }
    }

    async fn delete_blobs(&self, number: u32) -> Result<()> {
        let store = &self.collector.state.store;
        let listed = quarantine::part(&**store, self.rested.id(), number).await?;
        let length = listed.len();
        let condemned: Vec<_> = listed.into_iter().filter(|digest| self.is_condemned(digest)).collect();
        self.collector.report.update(|run| run.rescued += (length - condemned.len()) as u64);
        let mut left = &condemned[..];
        while !left.is_empty() {
            let (batch, rest) = left.split_at(self.pace.batch().min(left.len()));
            let batch: Vec<_> = batch.iter().map(|digest| (*digest, layout::blob(digest))).collect();
            self.delete_batch(&batch, Target::Content).await?;
            left = rest;
        }
        Ok(store.delete(&layout::collection::list_part(self.rested.id(), number)).await?)
    }

    /// Deletes these objects, except what somebody relies on.
    async fn delete_batch(&self, batch: &[Condemned], target: Target) -> Result<()> {
        self.collector.tell_progress().await?;
        let (start, digests) = (Instant::now(), batch.iter().map(|(digest, _)| *digest).collect());
        let announced = self.collector.state.quarantine.announce(&self.rested, digests).await?;
        let shares = batch.chunks(share(batch.len()));
        let deletions: Vec<_> = shares.map(|share| self.delete_share(share, &announced, target)).collect();
        // All of them end before the announcement is taken back, whatever becomes of one.
        let ended: Vec<Result<()>> = stream::iter(deletions).buffer_unordered(CONCURRENCY).collect().await;
        announced.withdraw().await?;
        self.pace.note(batch.len(), start.elapsed());
        ended.into_iter().collect()
    }

    /// Deletes a share of a batch, a few at a time.
    async fn delete_share(
        &self,
        share: &[Condemned],
        announced: &Announcement,
        target: Target,
    ) -> Result<()> {
        for few in share.chunks(self.collector.state.store.deletes_at_once()) {
            let (mut contents, mut keys, mut rescued) = (Vec::new(), Vec::new(), 0);
            for (digest, key) in few {
                match self.old_content(digest).await? {
                    Some(content) if announced.condemns(digest) => {
                        contents.push(content);
                        keys.push(key.clone());
                    }
                    found => rescued += usize::from(found.is_some()),
                }
            }
            let deleted = announced.delete_each(keys).await?;
            if target == Target::Content {
                self.count(&contents[..deleted], contents.len() - deleted + rescued);
            }
        }
        Ok(())
    }

    /// The content, if it is there and was not brought again.
    async fn old_content(&self, digest: &Digest) -> Result<Option<ObjectMeta>> {
        let content = self.collector.state.head(&layout::blob(digest)).await?;
        Ok(content.filter(|meta| !self.is_young(meta.modified)))
    }

    fn count(&self, deleted: &[ObjectMeta], spared: usize) {
        self.collector.report.update(|run| {
            run.rescued += spared as u64;
            for content in deleted {
                run.blobs_deleted += 1;
                run.bytes_freed += content.size;
                tracing::debug!(key = %content.key, size = content.size, "deleted a blob");
            }
        });
    }
}

/// How many of a batch are one share of those that are worked on at once. They are neighbours, so that each share mostly
/// deletes from folders of its own.
pub(super) fn share(batch: usize) -> usize {
    batch.div_ceil(CONCURRENCY).max(1)
}

/// What of a digest is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Link,
    Content,
}
