//! One run, from its beginning to its end.

use std::pin::pin;
use std::sync::Arc;

use berth_oci::RepositoryName;
use futures::{Stream, TryStreamExt as _};
use tokio::time::sleep;

use super::lease::Lease;
use super::look::Look;
use super::report::{Phase, Report, timestamp};
use super::{Options, Run};
use crate::repository::quarantine::List;
use crate::repository::state::State;
use crate::repository::{Repository, Result, catalog, retention, uploads};

/// A run, and what it has found so far.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) state: Arc<State>,
    pub(super) options: Options,
    pub(super) report: Report,
    /// Without one, nothing is changed.
    lease: Option<Lease>,
}

/// How a run has ended, and the right to collect that it does not need any more.
pub(super) struct Outcome {
    pub(super) result: Result<()>,
    pub(super) lease: Option<Lease>,
}

impl Collector {
    pub(super) fn new(state: Arc<State>, options: Options, lease: Option<Lease>, report: Report) -> Self {
        Self { state, options, report, lease }
    }

    /// Does the run.
    pub(super) async fn collect(self) -> Outcome {
        let result = match self.lease {
            None => self.find_candidates().await,
            Some(_) => self.delete_and_list().await,
        };
        Outcome { result, lease: self.lease }
    }

    async fn find_candidates(&self) -> Result<()> {
        self.retain().await?;
        self.remove_leftovers().await?;
        Look::begin(self, None).find_candidates().await
    }

    async fn delete_and_list(&self) -> Result<()> {
        self.retain().await?;
        let resting = self.state.quarantine.newest_list().await?;
        self.state.quarantine.tidy(&resting).await?;
        self.remove_leftovers().await?;
        let has_rested = resting.has_rested_at(self.options.quarantine) <= self.state.clock.now();
        if !has_rested && !resting.is_empty() && !self.options.finish {
            // Another list would begin to rest anew.
            self.tell_of(&resting);
            return Ok(());
        }
        let resting = Look::begin(self, has_rested.then_some(resting)).delete_and_list().await?;
        self.tell_of(&resting);
        if self.options.finish && !resting.is_empty() {
            self.enter(Phase::Resting).await?;
            sleep(self.options.quarantine).await;
            Look::begin(self, Some(resting)).delete().await?;
            self.report.update(|run| run.rested_at = None);
        }
        Ok(())
    }

    fn tell_of(&self, resting: &List) {
        let rested_at = (!resting.is_empty()).then(|| resting.has_rested_at(self.options.quarantine));
        self.report.update(|run: &mut Run| run.rested_at = rested_at.and_then(timestamp));
    }

    /// Begins another part of the run.
    pub(super) async fn enter(&self, phase: Phase) -> Result<()> {
        self.report.update(|run| run.phase = Some(phase));
        self.tell_progress().await
    }

    /// Tells others how far the run is, and fails if it is not the only one any more.
    pub(super) async fn tell_progress(&self) -> Result<()> {
        if let Some(lease) = &self.lease {
            lease.check()?;
        }
        self.report.publish(&self.state).await
    }

    /// Every repository that has anything.
    pub(super) fn repositories(&self) -> impl Stream<Item = Result<Repository>> + use<> {
        let state = Arc::clone(&self.state);
        catalog::repositories(&self.state, None).map_ok(move |found| repository(&state, found.name))
    }

    /// Deletes the tags that no rule of retention keeps, so that this run sees what they led to as untagged. A registry that
    /// is read-only keeps its tags.
    async fn retain(&self) -> Result<()> {
        let rules = self.state.rules();
        if !rules.read_only {
            let count = &mut |_| self.report.update(|run| run.tags_deleted += 1);
            retention::retain(&self.state, &rules, self.options.dry_run, count).await?;
        }
        Ok(())
    }

    /// Removes uploads that nobody goes on with, and what has been in the trash for long enough.
    async fn remove_leftovers(&self) -> Result<()> {
        let mut repositories = pin!(self.repositories());
        while let Some(repository) = repositories.try_next().await? {
            self.remove_abandoned_uploads(&repository).await?;
            if !self.options.dry_run {
                repository.trash().remove_expired().await?;
            }
        }
        Ok(())
    }

    async fn remove_abandoned_uploads(&self, repository: &Repository) -> Result<()> {
        for id in uploads::abandoned(&self.state, &repository.name, self.options.minimum_upload_age).await? {
            if self.options.dry_run || uploads::remove_abandoned(&self.state, &repository.name, &id).await? {
                self.report.update(|run| run.uploads_deleted += 1);
            }
        }
        Ok(())
    }
}

fn repository(state: &Arc<State>, name: RepositoryName) -> Repository {
    Repository { state: Arc::clone(state), rules: Arc::default(), name, actor: None }
}
