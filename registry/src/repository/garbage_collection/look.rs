//! One look at everything: what is needed, what was put into quarantine before, and what follows from both.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_oci::Digest;
use futures::TryStreamExt as _;

use super::collector::Collector;
use super::pace::Pace;
use super::report::Phase;
use crate::repository::Result;
use crate::repository::digest_set::{DigestSet, Number, NumberSet};
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
    /// All that manifests name, each once, whichever repositories they are in.
    pub(super) digests: DigestSet,
    /// Content that is needed or young.
    live: NumberSet,
    /// Content that is needed only by manifests which go into quarantine now: it may go there as well, and is not
    /// deleted before them.
    pub(super) needed_by_untagged: NumberSet,
    /// The manifests that no tag leads to, and that are not in quarantine yet. One may be in several repositories.
    pub(super) untagged: Vec<Number>,
    /// How much is deleted at a time.
    pub(super) pace: Pace,
}

impl<'a> Look<'a> {
    /// A look that begins now.
    pub(super) fn begin(collector: &'a Collector, rested: Option<Arc<List>>) -> Self {
        let oldest = collector.state.clock.now().checked_sub(collector.options.minimum_age + CLOCK_STEP);
        Self {
            collector,
            rested: rested.unwrap_or_default(),
            cutoff: oldest.unwrap_or(SystemTime::UNIX_EPOCH),
            digests: DigestSet::default(),
            live: NumberSet::default(),
            needed_by_untagged: NumberSet::default(),
            untagged: Vec::new(),
            pace: Pace::default(),
        }
    }

    /// Spares the content.
    pub(super) fn spare(&mut self, digest: &Digest) {
        let number = self.digests.number(digest);
        self.live.insert(number);
    }

    /// Spares the content of that number.
    pub(super) fn spare_number(&mut self, number: Number) {
        self.live.insert(number);
    }

    /// Whether the content is needed or young.
    pub(super) fn is_live(&self, digest: &Digest) -> bool {
        self.digests.find(digest).is_some_and(|number| self.live.contains(number))
    }

    /// Whether something that was modified then is spared for its age.
    pub(super) fn is_young(&self, modified: SystemTime) -> bool {
        modified >= self.cutoff
    }

    /// Whether the content has rested and is garbage still.
    pub(super) fn is_condemned(&self, digest: &Digest) -> bool {
        let is_kept = |number| self.live.contains(number) || self.needed_by_untagged.contains(number);
        self.rested.contains(digest) && !self.digests.find(digest).is_some_and(is_kept)
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
