//! `status.replication`: what came of the copies, and when the next ones start. What an earlier look has found stays when the Job
//! is gone.

use berth_crds::{
    Registry,
    collection_run::CollectionResult,
    replication::{CopyRun, Replication, ReplicationStatus},
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{batch::v1::CronJob, core::v1::ContainerStateTerminated},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;
use serde::Deserialize;

use crate::{
    apply::Applied,
    registry::{build::Objects, collections::Collections, cron, validate::Validated},
};

/// The longest reason of a failure that is kept, in characters.
const REASON_LIMIT: usize = 1000;

/// What `registry copy` reports, as far as it is understood here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    copied: Option<i64>,
    unchanged: Option<i64>,
    failed: Option<i64>,
    bytes: Option<i64>,
    error: Option<String>,
}

/// What is known of the copies; `None` when nothing is to be copied.
pub(super) fn status(
    registry: &Registry,
    validated: &Validated,
    applied: &Applied,
    runs: &Collections,
    now: Timestamp,
) -> Option<ReplicationStatus> {
    let replication = validated.spec.replication.as_ref()?;
    let before = registry.status.as_ref().and_then(|status| status.replication.clone()).unwrap_or_default();
    let name = Objects::ids(&validated.identity).replication.name;
    let cron_job: Option<CronJob> = applied.children.get(&name);
    let owner = cron_job.as_ref().and_then(ResourceExt::uid).unwrap_or_default();
    let by_schedule = cron_job.and_then(|cron_job| cron_job.status).unwrap_or_default();
    let ended = runs.terminations(&[&owner]);
    let copies = replication.copies.iter().filter_map(|copy| {
        let known = before.copies.iter().find(|known| known.name == copy.name);
        let ended = ended.iter().filter(|(name, _)| *name == copy.name);
        ended
            .filter_map(|(name, end)| run(name, end))
            .fold(known.cloned(), |known, run| Some(newer(known, run)))
    });
    let copies: Vec<CopyRun> = copies.collect();
    let successes =
        [before.last_success_time, by_schedule.last_successful_time, everything(replication, &copies)];
    Some(ReplicationStatus {
        last_schedule_time: by_schedule.last_schedule_time.or(before.last_schedule_time),
        last_success_time: successes.into_iter().flatten().max_by_key(|time| time.0),
        next_schedule_time: next(validated, replication, now).map(Time),
        copies,
    })
}

/// When the copy that is farthest behind last succeeded, if all of them have.
fn everything(replication: &Replication, copies: &[CopyRun]) -> Option<Time> {
    let successes: Option<Vec<Time>> = copies.iter().map(|copy| copy.last_success_time.clone()).collect();
    successes.filter(|all| all.len() == replication.copies.len())?.into_iter().min_by_key(|time| time.0)
}

fn run(name: &str, ended: &ContainerStateTerminated) -> Option<CopyRun> {
    let message = ended.message.as_deref().unwrap_or_default();
    let report = serde_json::from_str::<Report>(message).unwrap_or_else(|_| Report {
        // It did not get so far as to report.
        error: Some(message.trim().to_owned()).filter(|text| !text.is_empty()),
        ..Report::default()
    });
    let completion_time = ended.finished_at.clone()?;
    let has_succeeded = ended.exit_code == 0;
    let reason = report.error.or_else(|| ended.reason.clone());
    Some(CopyRun {
        name: name.to_owned(),
        result: if has_succeeded { CollectionResult::Succeeded } else { CollectionResult::Failed },
        message: reason.filter(|_| !has_succeeded).map(|text| text.chars().take(REASON_LIMIT).collect()),
        last_success_time: has_succeeded.then(|| completion_time.clone()),
        completion_time,
        copied: report.copied,
        unchanged: report.unchanged,
        failed: report.failed,
        sent_bytes: report.bytes,
    })
}

/// The run that ended last, with the last success of either.
fn newer(known: Option<CopyRun>, run: CopyRun) -> CopyRun {
    let Some(known) = known else { return run };
    let successes = [known.last_success_time.clone(), run.last_success_time.clone()];
    let last_success_time = successes.into_iter().flatten().max_by_key(|time| time.0);
    let last = if run.completion_time.0 > known.completion_time.0 { run } else { known };
    CopyRun { last_success_time, ..last }
}

fn next(validated: &Validated, replication: &Replication, now: Timestamp) -> Option<Timestamp> {
    if replication.suspend || validated.spec.replicas == 0 {
        return None;
    }
    let zone = match &replication.time_zone {
        Some(name) => cron::time_zone(name)?,
        None => jiff::tz::TimeZone::UTC,
    };
    validated.replication.as_ref()?.as_ref().ok()?.next(now, &zone)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures;

    fn ended(exit_code: i32, at: &str, message: &str) -> ContainerStateTerminated {
        serde_json::from_value(json!({"exitCode": exit_code, "finishedAt": at, "message": message})).unwrap()
    }

    #[test]
    fn a_report_is_read_and_what_is_none_is_a_reason() {
        let report = r#"{"images":3,"copied":2,"unchanged":1,"bytes":9,"failed":0}"#;
        let good = run("a", &ended(0, "2026-03-01T03:00:00Z", report)).unwrap();
        assert_eq!((good.copied, good.unchanged, good.sent_bytes), (Some(2), Some(1), Some(9)));
        assert_eq!((good.result, good.message), (CollectionResult::Succeeded, None));
        let bad = run("a", &ended(1, "2026-03-01T03:00:00Z", "Error: no such host\n")).unwrap();
        assert_eq!(bad.message.as_deref(), Some("Error: no such host"));
        assert_eq!(bad.last_success_time, None);
    }

    #[test]
    fn a_failure_leaves_the_time_of_the_last_success() {
        let good = run("a", &ended(0, "2026-03-01T03:00:00Z", "{}")).unwrap();
        let bad = run("a", &ended(1, "2026-03-01T04:00:00Z", "{}")).unwrap();
        let last = newer(Some(good.clone()), bad.clone());
        assert_eq!(
            (last.result, &last.last_success_time),
            (CollectionResult::Failed, &good.last_success_time)
        );
        assert_eq!(newer(Some(last.clone()), good), last, "a second look is no news");
    }

    #[test]
    fn what_was_seen_stays_as_long_as_it_is_asked_for() {
        let before = json!({"replication": {"copies": [
            {"name": "a", "result": "Succeeded", "completionTime": "2026-03-01T03:00:00Z", "copied": 1},
            {"name": "gone", "result": "Succeeded", "completionTime": "2026-03-01T03:00:00Z"},
        ]}});
        let after = |spec: &str| -> Value {
            let known = serde_json::from_value(before.clone()).unwrap();
            let registry = Registry { status: Some(known), ..fixtures::registry(spec) };
            let validated = Validated::of(&registry);
            let now = "2026-03-01T12:30:00Z".parse().unwrap();
            json!(status(&registry, &validated, &Applied::default(), &Collections::default(), now))
        };
        let told = after("{replication: {copies: [{name: a, from: 'https://a'}]}}");
        assert_eq!(told["copies"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&told["copies"][0]["copied"], &told["nextScheduleTime"]),
            (&1.into(), &"2026-03-01T13:00:00Z".into())
        );
        assert_eq!(after("{}"), Value::Null);
    }
}
