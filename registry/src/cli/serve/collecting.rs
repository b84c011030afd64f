//! The garbage collection by schedule. Replicas agree by what each of them is told of the last run, and by the lease that
//! one of them gets.

use std::time::{Duration, SystemTime};

use berth_registry::{
    config::CollectionSchedule,
    repository::{NotStarted, Options, Registry, Result, Run, RunState},
};
use tokio::time::sleep;

/// How often it is looked whether another replica has begun a run.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Collects garbage again and again, unless others do.
pub(super) async fn collect(registry: Registry, schedule: CollectionSchedule) {
    loop {
        let wait = collect_when_due(&registry, schedule).await.unwrap_or_else(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the garbage collection cannot be started; it is tried again");
            LOOK_INTERVAL
        });
        sleep(wait.min(LOOK_INTERVAL)).await;
    }
}

/// Starts a run if it is time for one, and tells how long it is until the next.
async fn collect_when_due(registry: &Registry, schedule: CollectionSchedule) -> Result<Duration> {
    let collection = registry.garbage_collection();
    let wait = time_until_due(&collection.current().await?, schedule.interval, SystemTime::now());
    if !wait.is_zero() {
        return Ok(wait);
    }
    let options = Options { delete_untagged: schedule.delete_untagged, ..Options::default() };
    match collection.start(options.with_ages(schedule.minimum_age, None)).await {
        Ok(_) | Err(NotStarted::AlreadyRunning(_)) => Ok(schedule.interval),
        Err(NotStarted::Failed(error)) => Err(error),
    }
}

fn time_until_due(last: &Run, interval: Duration, now: SystemTime) -> Duration {
    let Some(started_at) = last.started_at.filter(|_| !last.dry_run) else { return Duration::ZERO };
    if last.state == RunState::Running {
        return interval;
    }
    let due = SystemTime::from(started_at) + interval;
    due.duration_since(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_due_an_interval_after_the_last_one_whoever_did_it() {
        let now = SystemTime::now();
        let (hour, day) = (Duration::from_hours(1), Duration::from_hours(24));
        let started = |ago| Run {
            state: RunState::Succeeded,
            started_at: (now - ago).try_into().ok(),
            ..Run::default()
        };
        let wait = |run: &Run| time_until_due(run, day, now);
        assert_eq!(wait(&Run::default()), Duration::ZERO);
        assert_eq!(wait(&started(day * 2)), Duration::ZERO);
        assert_eq!(wait(&started(hour)), hour * 23);
        assert_eq!(wait(&Run { dry_run: true, ..started(hour) }), Duration::ZERO);
        assert!(!wait(&Run { state: RunState::Running, ..started(day * 2) }).is_zero());
    }
}
