//! Garbage collection: deletes the content that no manifest leads to, while pushes and pulls go on.
//!
//! A run marks everything that is needed or young, and then sweeps the rest, looking at each thing once more
//! before it is deleted. When anything cannot be read, the run fails before it sweeps. How a client's
//! reliance on content and its deletion are kept apart is told in `liveness`.

mod collector;
mod graph;
mod mark;
mod report;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use self::collector::Collector;
use self::report::Report;
pub use self::report::{AlreadyRunning, Run, RunState, Totals};
use super::state::State;

/// What to collect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether manifests that no tag leads to are deleted as well.
    pub delete_untagged: bool,
    /// What is younger than this is spared. Below an hour, what a client was told to exist is spared only
    /// when it asked this process, during the run.
    pub minimum_age: Duration,
    /// Uploads that were continued within this time are spared.
    pub minimum_upload_age: Duration,
    /// Whether to only report what would be deleted.
    pub dry_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self { delete_untagged: false, minimum_age: day, minimum_upload_age: day, dry_run: false }
    }
}

/// The garbage collection of a registry, of which one run goes on at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GarbageCollection {
    state: Arc<State>,
    report: Report,
}

impl GarbageCollection {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state, report: Report::default() }
    }

    /// Starts a run in the background.
    pub fn start(&self, options: Options) -> Result<Run, AlreadyRunning> {
        let started = self.report.start(self.state.clock.now(), options.dry_run)?;
        tokio::spawn(self.clone().run(options));
        Ok(started)
    }

    /// The run that goes on, or the last one.
    pub fn current(&self) -> Run {
        self.report.current()
    }

    /// What the runs that have ended in this process have come to.
    pub fn totals(&self) -> Totals {
        self.report.totals()
    }

    /// Does a run to its end, which the returned report tells.
    pub async fn run_to_end(&self, options: Options) -> Result<Run, AlreadyRunning> {
        self.report.start(self.state.clock.now(), options.dry_run)?;
        Ok(self.clone().run(options).await)
    }

    async fn run(self, options: Options) -> Run {
        let since = self.state.liveness.begin_collection(&self.state.clock).await;
        let collector = Collector::new(Arc::clone(&self.state), options, since, self.report.clone());
        let outcome = collector.collect().await;
        self.state.liveness.end_collection();
        let run = self.report.finish(self.state.clock.now(), &outcome);
        match &outcome {
            Ok(()) => tracing::info!(
                manifests = run.manifests_deleted,
                blobs = run.blobs_deleted,
                bytes = run.bytes_freed,
                uploads = run.uploads_deleted,
                dry_run = run.dry_run,
                "the garbage collection has ended"
            ),
            Err(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "the garbage collection has failed");
            }
        }
        run
    }
}
