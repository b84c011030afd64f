//! One run, from its beginning to its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt as _;

use super::Options;
use super::report::Report;
use crate::repository::digest_set::DigestSet;
use crate::repository::state::State;
use crate::repository::{Repository, Result, Rules, catalog, uploads};

/// By how much the clock that dates objects may be behind ours; that of the kernel ticks in steps of
/// milliseconds.
const CLOCK_STEP: Duration = Duration::from_millis(100);

/// A run and what it has found so far.
pub(super) struct Collector {
    pub(super) state: Arc<State>,
    pub(super) options: Options,
    pub(super) report: Report,
    /// What was modified since then is spared.
    cutoff: SystemTime,
    /// Content that is needed or young.
    pub(super) live: DigestSet,
}

impl Collector {
    /// A run that began at `since`: nothing that was relied on afterwards may go.
    pub(super) fn new(state: Arc<State>, options: Options, since: SystemTime, report: Report) -> Self {
        let oldest = since.checked_sub(options.minimum_age + CLOCK_STEP);
        let cutoff = oldest.unwrap_or(SystemTime::UNIX_EPOCH);
        Self { state, options, report, cutoff, live: DigestSet::default() }
    }

    /// Marks, then sweeps.
    pub(super) async fn collect(mut self) -> Result<()> {
        for repository in self.repositories().await? {
            self.remove_abandoned_uploads(&repository).await?;
            if !self.options.dry_run {
                repository.trash().remove_expired().await?;
            }
            self.mark_repository(&repository).await?;
        }
        self.sweep().await
    }

    /// Whether something that was modified then is spared for its age.
    pub(super) fn is_young(&self, modified: SystemTime) -> bool {
        modified >= self.cutoff
    }

    /// Every repository that has anything.
    pub(super) async fn repositories(&self) -> Result<Vec<Repository>> {
        let mut repositories = Vec::new();
        let mut found = pin!(catalog::repositories(&self.state, None));
        while let Some(found) = found.try_next().await? {
            let state = Arc::clone(&self.state);
            repositories.push(Repository { state, rules: Rules::default(), name: found.name, actor: None });
        }
        Ok(repositories)
    }

    async fn remove_abandoned_uploads(&self, repository: &Repository) -> Result<()> {
        for id in uploads::abandoned(&self.state, &repository.name, self.options.minimum_upload_age).await? {
            if self.options.dry_run || uploads::remove_abandoned(&self.state, &repository.name, &id).await? {
                self.report.upload();
            }
        }
        Ok(())
    }
}
