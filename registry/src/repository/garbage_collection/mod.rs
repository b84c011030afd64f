//! Garbage collection: deletes the content that no manifest leads to, while pushes and pulls go on in any number of
//! processes.
//!
//! A run looks at all repositories. What was put into quarantine by an earlier run, has rested there and is garbage
//! still, is deleted; what is garbage now and old enough is put into quarantine. So garbage goes with the second run
//! that sees it, or with the first one if that waits. When anything cannot be read, the run fails before it deletes.
//! How a client's reliance on content and its deletion are kept apart is told in `quarantine`.
//!
//! One run goes on at a time, whichever process does it (`lease`), and everybody can tell of it (`report`). A run that
//! was broken off leaves nothing half done: the next one looks again, and goes on with what is left of the list.

mod collector;
mod graph;
mod lease;
mod listing;
mod look;
mod mark;
mod pace;
mod references;
mod report;
mod sweep;
mod tag_history;
mod untagged;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use self::collector::Collector;
use self::lease::{Holder, Lease};
use self::report::Report;
pub use self::report::{Candidate, Phase, Reason, Run, RunState, Totals};
use super::detached::detached;
use super::documents::read_document;
use super::quarantine::SHORTEST_REST;
use super::state::State;
use super::{Error, Result, layout};

/// What to collect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether manifests that no tag leads to are deleted as well.
    pub delete_untagged: bool,
    /// What is younger than this is not put into quarantine.
    pub minimum_age: Duration,
    /// How long garbage rests in quarantine before it is deleted. What a client was told to exist stays for as long.
    pub quarantine: Duration,
    /// Whether the run waits until what it has put into quarantine has rested, and deletes it.
    pub finish: bool,
    /// Uploads that were continued within this time are spared.
    pub minimum_upload_age: Duration,
    /// Whether to only report what would be deleted.
    pub dry_run: bool,
    /// How much of what would be deleted is reported one by one.
    pub candidates: usize,
}

impl Default for Options {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self {
            delete_untagged: false,
            minimum_age: day,
            quarantine: Duration::from_hours(18),
            finish: false,
            minimum_upload_age: day,
            dry_run: false,
            candidates: 1000,
        }
    }
}

impl Options {
    /// The shortest time in quarantine by which other processes can be sure of what they tell their clients.
    pub const SHORTEST_QUARANTINE: Duration = SHORTEST_REST;

    /// With that minimum age, and a quarantine that is long enough for running servers. It is three quarters of the
    /// minimum age when nothing else is said, so that a daily run finds rested what the last one has listed.
    pub fn with_ages(self, minimum_age: Duration, quarantine: Option<Duration>) -> Self {
        let quarantine = quarantine.unwrap_or(minimum_age * 3 / 4).max(Self::SHORTEST_QUARANTINE);
        Self { minimum_age, quarantine, ..self }
    }
}

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// A run is going on already, here or in another process; this is what is known of it.
    #[error("a garbage collection is running already{}", by(.0))]
    AlreadyRunning(Box<Run>),
    /// The storage could not be asked whether one is going on.
    #[error(transparent)]
    Failed(#[from] Error),
}

fn by(run: &Run) -> String {
    run.replica.as_ref().map(|replica| format!(": {replica} does it")).unwrap_or_default()
}

/// The garbage collection of a registry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GarbageCollection {
    state: Arc<State>,
    report: Report,
}

impl GarbageCollection {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state, report: Report::default() }
    }

    /// Starts a run in the background. Whichever process is asked from then on tells of it, and not of the last one.
    pub async fn start(&self, options: Options) -> Result<Run, NotStarted> {
        let collection = self.clone();
        // A client that leaves does not leave a run behind that is said to go on and does not.
        detached(async move { Ok(collection.start_in_background(options).await) }).await?
    }

    async fn start_in_background(self, options: Options) -> Result<Run, NotStarted> {
        let (started, collector) = self.prepare(options).await?;
        if let Err(error) = self.report.publish(&self.state).await {
            tracing::warn!(%error, "other processes cannot be told of the garbage collection");
        }
        tokio::spawn(self.run(collector));
        Ok(started)
    }

    /// Has each candidate of the next run told to `listener` as soon as it is found, for whom the run waits: there may be more of
    /// them than memory should hold. The channel ends with the run.
    pub fn tell(&self, listener: SyncSender<Candidate>) {
        self.report.tell(listener);
    }

    /// Does a run to its end, which the returned report tells.
    pub async fn run_to_end(&self, options: Options) -> Result<Run, NotStarted> {
        let (_, collector) = self.prepare(options).await?;
        Ok(self.clone().run(collector).await)
    }

    /// The run that goes on, in this process or another one, or the last one.
    pub async fn current(&self) -> Result<Run> {
        let own = self.report.current();
        if own.state == RunState::Running {
            return Ok(own);
        }
        let Some((_, told)) = read_document::<Run>(&*self.state.store, &layout::collection::report()).await?
        else {
            return Ok(own);
        };
        // Others are told of the end of a run some time after this process knows it, or never if the storage fails.
        if told.started_at < own.started_at || told.replica == own.replica {
            return Ok(own);
        }
        let is_dead = told.state == RunState::Running && !self.is_at_work(&told).await?;
        Ok(if is_dead { told.abandoned() } else { told })
    }

    async fn is_at_work(&self, run: &Run) -> Result<bool> {
        let holder = lease::holder(&self.state).await?;
        Ok(holder.is_some_and(|holder| Some(&holder.name) == run.replica.as_ref()))
    }

    /// What the runs that have ended in this process have come to.
    pub fn totals(&self) -> Totals {
        self.report.totals()
    }

    /// How often this process has saved content from being deleted.
    pub fn rescues(&self) -> u64 {
        self.state.quarantine.rescues()
    }

    /// Whether this process is the one that collects at the moment.
    pub fn has_lease(&self) -> bool {
        let run = self.report.current();
        run.state == RunState::Running && !run.dry_run
    }

    /// Makes sure that no other run goes on, and begins one.
    async fn prepare(&self, options: Options) -> Result<(Run, Collector), NotStarted> {
        let now = self.state.clock.now();
        let (lease, me) = if options.dry_run {
            (None, None)
        } else {
            let lease = self.take_lease().await?;
            let me = lease.holder().to_owned();
            (Some(lease), Some(me))
        };
        match self.report.start(now, &options, me) {
            Ok(run) => {
                Ok((run, Collector::new(Arc::clone(&self.state), options, lease, self.report.clone())))
            }
            Err(running) => {
                if let Some(lease) = lease {
                    lease.end().await;
                }
                Err(NotStarted::AlreadyRunning(running))
            }
        }
    }

    async fn take_lease(&self) -> Result<Lease, NotStarted> {
        match Lease::take(&self.state).await? {
            Ok(lease) => Ok(lease),
            Err(Holder { name, .. }) => {
                let run = self.current().await?;
                let is_told_of = run.state == RunState::Running;
                let run = if is_told_of { run } else { Run::of(name) };
                Err(NotStarted::AlreadyRunning(Box::new(run)))
            }
        }
    }

    async fn run(self, collector: Collector) -> Run {
        let outcome = collector.collect().await;
        let run = self.report.finish(self.state.clock.now(), &outcome.result);
        if let Some(lease) = outcome.lease {
            if let Err(error) = report::publish(&self.state, &run).await {
                tracing::warn!(%error, "other processes cannot be told of the garbage collection");
            }
            lease.end().await;
        }
        match &outcome.result {
            Ok(()) => tracing::info!(
                tags = run.tags_deleted,
                manifests = run.manifests_deleted,
                blobs = run.blobs_deleted,
                bytes = run.bytes_freed,
                quarantined = run.quarantined,
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
