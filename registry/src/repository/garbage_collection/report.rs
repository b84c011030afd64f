//! What is told about a run, while it goes on and afterwards.

use std::error::Error as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::repository::{Error, Result};

/// Whether a run goes on, and how it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// No run yet since the process started.
    #[default]
    Idle,
    /// Going on.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error; nothing that is needed was deleted.
    Failed,
}

/// One run of the collection. In a dry run, the numbers tell what would have been deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Whether it goes on, and how it ended.
    pub state: RunState,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Whether nothing is really deleted.
    pub dry_run: bool,
    /// How many manifests were taken out of a repository.
    pub manifests_deleted: u64,
    /// How many blobs were deleted; the bytes of manifests are blobs as well.
    pub blobs_deleted: u64,
    /// The length of these blobs.
    pub bytes_freed: u64,
    /// How many abandoned uploads were deleted.
    pub uploads_deleted: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// What the runs that have ended in this process have come to. Dry runs do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many ended well.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// The length of the blobs that they have deleted.
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
        self.bytes_freed += run.bytes_freed;
    }
}

/// A run is going on already; this is what is known of it.
#[derive(Debug, thiserror::Error)]
#[error("a garbage collection is running already")]
pub struct AlreadyRunning(pub Run);

/// The current run and the sum of those before, shared between the collector and those who ask. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    run: Arc<Mutex<Run>>,
    totals: Arc<Mutex<Totals>>,
}

impl Report {
    /// What is known now.
    pub(super) fn current(&self) -> Run {
        self.run().clone()
    }

    /// What the runs that have ended have come to.
    pub(super) fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new run unless one is going on.
    pub(super) fn start(&self, now: SystemTime, dry_run: bool) -> Result<Run, AlreadyRunning> {
        let mut run = self.run();
        if run.state == RunState::Running {
            return Err(AlreadyRunning(run.clone()));
        }
        *run = Run { state: RunState::Running, started_at: timestamp(now), dry_run, ..Run::default() };
        Ok(run.clone())
    }

    /// Ends the run.
    pub(super) fn finish(&self, now: SystemTime, outcome: &Result<()>) -> Run {
        let mut run = self.run();
        run.state = if outcome.is_ok() { RunState::Succeeded } else { RunState::Failed };
        run.error = outcome.as_ref().err().map(explain);
        run.finished_at = timestamp(now);
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(&run);
        run.clone()
    }

    /// Counts a manifest.
    pub(super) fn manifest(&self) {
        self.run().manifests_deleted += 1;
    }

    /// Counts a blob of `size` bytes.
    pub(super) fn blob(&self, size: u64) {
        let mut run = self.run();
        run.blobs_deleted += 1;
        run.bytes_freed += size;
    }

    /// Counts an upload.
    pub(super) fn upload(&self) {
        self.run().uploads_deleted += 1;
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok().and_then(|time| Timestamp::from_second(time.as_second()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_goes_on_at_a_time() {
        let report = Report::default();
        assert_eq!(report.current().state, RunState::Idle);
        report.start(SystemTime::now(), false).unwrap();
        report.blob(5);
        let running = report.start(SystemTime::now(), false).unwrap_err().0;
        assert_eq!((running.state, running.bytes_freed), (RunState::Running, 5));
        assert_eq!(report.finish(SystemTime::now(), &Ok(())).state, RunState::Succeeded);
        assert_eq!(report.start(SystemTime::now(), true).unwrap().bytes_freed, 0);
    }

    #[test]
    fn the_totals_are_those_of_runs_that_have_ended_and_deleted() {
        let report = Report::default();
        for (dry_run, size) in [(false, 5), (true, 7), (false, 3)] {
            report.start(SystemTime::now(), dry_run).unwrap();
            report.blob(size);
            report.finish(SystemTime::now(), &Ok(()));
        }
        report.start(SystemTime::now(), false).unwrap();
        report.blob(100);
        assert_eq!(report.totals(), Totals { succeeded: 2, failed: 0, bytes_freed: 8 });
    }

    #[test]
    fn a_run_is_written_as_a_document() {
        let run = Run { started_at: timestamp(SystemTime::UNIX_EPOCH), ..Run::default() };
        let document = serde_json::to_value(&run).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "state": "idle", "startedAt": "1970-01-01T00:00:00Z", "finishedAt": null, "dryRun": false,
                "manifestsDeleted": 0, "blobsDeleted": 0, "bytesFreed": 0, "uploadsDeleted": 0, "error": null,
            })
        );
    }
}
