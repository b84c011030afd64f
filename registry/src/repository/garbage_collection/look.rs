//! One look at everything: what is needed, what was put into quarantine before, and what follows from both.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_oci::Digest;
use futures::TryStreamExt as _;

use super::collector::Collector;
use super::report::Phase;
use crate::repository::Result;
use crate::repository::digest_set::DigestSet;
use crate::repository::quarantine::{List, ListWriter};

/// By how much the clock that dates objects may be behind ours; that of the kernel ticks in steps of
/// milliseconds.
const CLOCK_STEP: Duration = Duration::from_millis(100);

/// What is known of the content of all repositories.
pub(super) struct Look<'a> {
    pub(super) collector: &'a Collector,
    /// What has rested in quarantine, and may be deleted if it is garbage still.
    pub(super) rested: Arc<List>,
    /// What was modified since then is spared.
    cutoff: SystemTime,
    /// Content that is needed or young.
    pub(super) live: DigestSet,
    /// Content that is needed only by manifests which go into quarantine now: it may go there as well, and is not
    /// deleted before them.
    pub(super) needed_by_untagged: DigestSet,
    /// The manifests that no tag leads to, and that are not in quarantine yet.
    pub(super) untagged: DigestSet,
}

impl<'a> Look<'a> {
    /// A look that begins now.
    pub(super) fn begin(collector: &'a Collector, rested: Option<Arc<List>>) -> Self {
        let oldest = collector.state.clock.now().checked_sub(collector.options.minimum_age + CLOCK_STEP);
        Self {
            collector,
            rested: rested.unwrap_or_default(),
            cutoff: oldest.unwrap_or(SystemTime::UNIX_EPOCH),
            live: DigestSet::default(),
            needed_by_untagged: DigestSet::default(),
            untagged: DigestSet::default(),
        }
    }

    /// Whether something that was modified then is spared for its age.
    pub(super) fn is_young(&self, modified: SystemTime) -> bool {
        modified >= self.cutoff
    }

    /// Whether the content has rested and is garbage still.
    pub(super) fn is_condemned(&self, digest: &Digest) -> bool {
        self.rested.contains(digest)
            && !self.live.contains(digest)
            && !self.needed_by_untagged.contains(digest)
    }

    /// Tells what would be deleted.
    pub(super) async fn find_candidates(mut self) -> Result<()> {
        self.mark().await?;
        self.list_candidates().await
    }

    /// Deletes what has rested and is garbage still.
    pub(super) async fn delete(mut self) -> Result<()> {
        self.mark().await?;
        self.sweep().await?;
        self.put_in_force(self.collector.state.quarantine.write_list()).await.map(drop)
    }

    /// Deletes what has rested and is garbage still, and puts the other garbage into quarantine.
    pub(super) async fn delete_and_list(mut self) -> Result<Arc<List>> {
        self.mark().await?;
        self.sweep().await?;
        let mut written = self.collector.state.quarantine.write_list();
        self.list_garbage(&mut written).await?;
        self.put_in_force(written).await
    }

    async fn mark(&mut self) -> Result<()> {
        self.collector.enter(Phase::Marking).await?;
        self.collector.report.update(|run| (run.repositories, run.marked, run.trashed) = (0, 0, 0));
        let mut repositories = pin!(self.collector.repositories());
        while let Some(repository) = repositories.try_next().await? {
            self.mark_repository(&repository).await?;
            let marked = self.live.len() as u64;
            self.collector.report.update(|run| {
                run.repositories += 1;
                run.marked = marked;
            });
            self.collector.tell_progress().await?;
        }
        Ok(())
    }

    /// Puts the list in force, in place of the one that has been dealt with.
    async fn put_in_force(&self, written: ListWriter) -> Result<Arc<List>> {
        self.collector.tell_progress().await?;
        let quarantine = &self.collector.state.quarantine;
        let list = quarantine.install(written).await?;
        quarantine.tidy(&list).await?;
        Ok(list)
    }
}
