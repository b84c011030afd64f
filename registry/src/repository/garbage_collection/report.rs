//! What is told about a run, while it goes on and afterwards, by the process that does it and by all others.

use std::error::Error as _;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use berth_oci::{Digest, RepositoryName};
use berth_storage::PutCondition;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Options;
use crate::repository::documents::write_document;
use crate::repository::state::State;
use crate::repository::{Error, Result, layout};

/// How often other processes are told how far the run is.
const PUBLISHED_EVERY: Duration = Duration::from_secs(3);

/// Whether a run goes on, and how it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// No run yet.
    #[default]
    Idle,
    /// Going on.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error; nothing that is needed was deleted.
    Failed,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It looks at the manifests of all repositories.
    Marking,
    /// It deletes what has rested and is garbage still.
    Deleting,
    /// It puts garbage into quarantine.
    Listing,
    /// It waits until the garbage has rested.
    Resting,
}

/// Why something may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// No manifest leads to the blob.
    Unreferenced,
    /// No tag leads to the manifest.
    Untagged,
}

/// Something that a run would delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// What it is.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Why it would be deleted.
    pub reason: Reason,
    /// The repository that has the manifest; blobs belong to all repositories.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repository: Option<RepositoryName>,
}

/// One run of the collection. In a dry run, the numbers tell what would have been deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Run {
    /// Whether it goes on, and how it ended.
    pub state: RunState,
    /// What it is doing.
    pub phase: Option<Phase>,
    /// The process that does it.
    pub replica: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Whether nothing is really deleted.
    pub dry_run: bool,
    /// How many repositories it has looked at.
    pub repositories: u64,
    /// How many blobs and manifests are needed, as far as it has looked.
    pub marked: u64,
    /// How much it has put into quarantine.
    pub quarantined: u64,
    /// The length of that, in bytes.
    pub bytes_quarantined: u64,
    /// When what rests in quarantine may be deleted.
    pub rested_at: Option<Timestamp>,
    /// How much was in quarantine and is needed again.
    pub rescued: u64,
    /// How many tags were deleted, since no rule of retention keeps them.
    pub tags_deleted: u64,
    /// How many manifests were taken out of a repository.
    pub manifests_deleted: u64,
    /// How many blobs were deleted; the bytes of manifests are blobs as well.
    pub blobs_deleted: u64,
    /// The length of these blobs.
    pub bytes_freed: u64,
    /// How many abandoned uploads were deleted.
    pub uploads_deleted: u64,
    /// How many deleted manifests rest in the trash, and keep their content for as long.
    pub trashed: u64,
    /// What a dry run would delete, one by one, as far as that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Run {
    /// What is known of a run that another process does, and has told nothing of yet.
    pub(super) fn of(replica: String) -> Self {
        Self { state: RunState::Running, replica: Some(replica), ..Self::default() }
    }

    /// The run, of which another process has told that it goes on, and which it does no longer.
    pub(super) fn abandoned(self) -> Self {
        let error =
            Some("the process that did it has ended; the next run goes on with what is left".to_owned());
        Self { state: RunState::Failed, phase: None, error, ..self }
    }
}

/// What the runs that have ended in this process have come to. Dry runs do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many ended well.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// How long they took together.
    pub duration: Duration,
    /// How much they have put into quarantine.
    pub quarantined: u64,
    /// How much was in quarantine and was needed again.
    pub rescued: u64,
    /// How many manifests they have taken out of a repository.
    pub manifests_deleted: u64,
    /// How many blobs they have deleted.
    pub blobs_deleted: u64,
    /// The length of these blobs.
    pub bytes_freed: u64,
}

impl Totals {
    fn add(&mut self, run: &Run) {
        if run.dry_run {
            return;
        }
        match run.state {
            RunState::Succeeded => self.succeeded += 1,
            RunState::Failed => self.failed += 1,
            RunState::Idle | RunState::Running => {}
        }
        self.quarantined += run.quarantined;
        self.rescued += run.rescued;
        self.manifests_deleted += run.manifests_deleted;
        self.blobs_deleted += run.blobs_deleted;
        self.bytes_freed += run.bytes_freed;
    }
}

/// The current run and the sum of those before, shared between the collector and those who ask. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Report(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    run: Run,
    totals: Totals,
    /// How many candidates may be told one by one.
    candidates: usize,
    /// Who is told of each of them as soon as it is found.
    listener: Option<SyncSender<Candidate>>,
    began: Option<Instant>,
    published: Option<Instant>,
}

impl Report {
    /// What is known now.
    pub(super) fn current(&self) -> Run {
        self.told().run.clone()
    }

    /// What the runs that have ended have come to.
    pub(super) fn totals(&self) -> Totals {
        self.told().totals
    }

    /// Begins a new run unless one is going on.
    pub(super) fn start(
        &self,
        now: SystemTime,
        options: &Options,
        replica: Option<String>,
    ) -> Result<Run, Box<Run>> {
        let mut told = self.told();
        if told.run.state == RunState::Running {
            return Err(Box::new(told.run.clone()));
        }
        let (state, started_at, dry_run) = (RunState::Running, timestamp(now), options.dry_run);
        told.run = Run { state, replica, started_at, dry_run, ..Run::default() };
        told.candidates = options.candidates;
        (told.began, told.published) = (Some(Instant::now()), None);
        Ok(told.run.clone())
    }

    /// Has the candidates of the next run told to `listener`.
    pub(super) fn tell(&self, listener: SyncSender<Candidate>) {
        self.told().listener = Some(listener);
    }

    /// Ends the run.
    pub(super) fn finish(&self, now: SystemTime, outcome: &Result<()>) -> Run {
        let mut told = self.told();
        let duration = told.began.take().map_or(Duration::ZERO, |began| began.elapsed());
        told.listener = None;
        let run = &mut told.run;
        run.state = if outcome.is_ok() { RunState::Succeeded } else { RunState::Failed };
        run.phase = None;
        run.error = outcome.as_ref().err().map(explain);
        run.finished_at = timestamp(now);
        let run = run.clone();
        if !run.dry_run {
            told.totals.duration += duration;
        }
        told.totals.add(&run);
        run
    }

    /// Tells how far the run is.
    pub(super) fn update(&self, change: impl FnOnce(&mut Run)) {
        change(&mut self.told().run);
    }

    /// Tells of something that would be deleted.
    pub(super) fn candidate(&self, candidate: Candidate) {
        let mut told = self.told();
        if told.run.candidates.len() < told.candidates {
            told.run.candidates.push(candidate.clone());
        }
        let listener = told.listener.clone();
        drop(told);
        if let Some(listener) = listener {
            let _has_heard_enough = listener.send(candidate);
        }
    }

    /// Tells other processes how far the run is, if it is time for that.
    pub(super) async fn publish(&self, state: &State) -> Result<()> {
        let run = {
            let mut told = self.told();
            let is_recent = told.published.is_some_and(|published| published.elapsed() < PUBLISHED_EVERY);
            if told.run.dry_run || is_recent {
                return Ok(());
            }
            told.published = Some(Instant::now());
            told.run.clone()
        };
        publish(state, &run).await
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells other processes of the run.
pub(super) async fn publish(state: &State, run: &Run) -> Result<()> {
    Ok(write_document(&*state.store, &layout::collection::report(), run, PutCondition::Always).await?)
}

/// The error with its causes: whoever may collect garbage is an administrator.
fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Whole seconds are enough for people.
pub(super) fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok().and_then(|time| Timestamp::from_second(time.as_second()).ok())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn start(report: &Report, dry_run: bool) -> Result<Run, Box<Run>> {
        report.start(SystemTime::now(), &Options { dry_run, ..Options::default() }, None)
    }

    fn count_blob(report: &Report, size: u64) {
        report.update(|run| {
            run.blobs_deleted += 1;
            run.bytes_freed += size;
        });
    }

    #[test]
    fn one_run_goes_on_at_a_time() {
        let report = Report::default();
        assert_eq!(report.current().state, RunState::Idle);
        start(&report, false).unwrap();
        count_blob(&report, 5);
        let running = start(&report, false).unwrap_err();
        assert_eq!((running.state, running.bytes_freed), (RunState::Running, 5));
        assert_eq!(report.finish(SystemTime::now(), &Ok(())).state, RunState::Succeeded);
        assert_eq!(start(&report, true).unwrap().bytes_freed, 0);
    }

    #[test]
    fn the_totals_are_those_of_runs_that_have_ended_and_deleted() {
        let report = Report::default();
        for (dry_run, size) in [(false, 5), (true, 7), (false, 3)] {
            start(&report, dry_run).unwrap();
            count_blob(&report, size);
            report.finish(SystemTime::now(), &Ok(()));
        }
        start(&report, false).unwrap();
        count_blob(&report, 100);
        let totals = report.totals();
        assert_eq!((totals.succeeded, totals.failed, totals.bytes_freed), (2, 0, 8));
    }

    #[test]
    fn as_many_candidates_are_told_as_were_asked_for() {
        let report = Report::default();
        let options = Options { candidates: 2, dry_run: true, ..Options::default() };
        report.start(SystemTime::now(), &options, None).unwrap();
        for number in 0..3 {
            let digest = Digest::sha256([number; 32]);
            let candidate = Candidate { digest, size: 1, reason: Reason::Unreferenced, repository: None };
            report.candidate(candidate);
        }
        assert_eq!(report.current().candidates.len(), 2);
    }

    #[test]
    fn a_listener_is_told_of_every_candidate_and_of_the_end() {
        let (report, (listener, told)) = (Report::default(), sync_channel(2));
        report.tell(listener);
        report.start(SystemTime::now(), &Options { candidates: 0, ..Options::default() }, None).unwrap();
        let reason = Reason::Unreferenced;
        let candidates = [1, 2].map(|number| Digest::sha256([number; 32]));
        for digest in candidates {
            report.candidate(Candidate { digest, size: 1, reason, repository: None });
        }
        report.finish(SystemTime::now(), &Ok(()));
        assert_eq!(told.iter().map(|candidate| candidate.digest).collect::<Vec<_>>(), candidates);
        assert!(report.current().candidates.is_empty());
    }

    #[test]
    fn a_run_is_written_as_a_document() {
        let run = Run { started_at: timestamp(SystemTime::UNIX_EPOCH), ..Run::default() };
        let document = serde_json::to_value(&run).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "state": "idle", "phase": null, "replica": null,
                "startedAt": "1970-01-01T00:00:00Z", "finishedAt": null, "dryRun": false,
                "repositories": 0, "marked": 0,
                "quarantined": 0, "bytesQuarantined": 0, "restedAt": null, "rescued": 0,
                "tagsDeleted": 0, "manifestsDeleted": 0, "blobsDeleted": 0, "bytesFreed": 0, "uploadsDeleted": 0, "trashed": 0, "error": null,
            })
        );
    }
}
