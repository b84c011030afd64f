//! `status.replication`: what came of the copies, how far they are behind, and when the next ones start. What an earlier look has
//! found stays when the Job is gone.

use berth_crds::{
    Registry,
    collection_run::CollectionResult,
    replication::{CopyStatus, ReplicationStatus},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{batch::v1::CronJob, core::v1::ContainerStateTerminated},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;
use serde::Deserialize;

use crate::{
    apply::Applied,
    lag,
    registry::{
        collections::{Collections, request::Request, written},
        replication::ids,
        validate::Validated,
    },
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
    request: &Request,
    now: Timestamp,
) -> Option<ReplicationStatus> {
    let replication = validated.spec.replication.as_ref()?;
    let before = registry.status.as_ref().and_then(|status| status.replication.clone()).unwrap_or_default();
    let owners = owners(registry, applied);
    let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
    let ended = runs.terminations(&owners);
    let copies = replication.copies.iter().map(|copy| {
        let known = before.copies.iter().find(|known| known.name == copy.name).cloned();
        let known = known.unwrap_or_else(|| first(&copy.name, now));
        let ended = ended.iter().filter(|(name, _)| *name == copy.name);
        let last = ended.fold(known, |known, (_, ended)| after(known, ended));
        CopyStatus { next_schedule_time: next(validated, &copy.name, now).map(Time), ..last }
    });
    let copies: Vec<CopyStatus> = copies.collect();
    Some(ReplicationStatus {
        last_success_time: everything(&copies),
        last_request: match request {
            Request::Started(value) => Some(value.clone()),
            _ => before.last_request,
        },
        copies,
    })
}

/// Whose Jobs make copies: the Registry, where they are asked for, and the `CronJobs`.
fn owners(registry: &Registry, applied: &Applied) -> Vec<String> {
    let cron_jobs =
        ids(registry).into_iter().filter_map(|id| applied.children.get::<CronJob>(&id.name)?.uid());
    cron_jobs.chain(registry.uid()).collect()
}

/// A copy that has not run yet.
fn first(name: &str, now: Timestamp) -> CopyStatus {
    CopyStatus {
        name: name.to_owned(),
        // A status that is read again has whole seconds.
        current_as_of: Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
        lag: None,
        last_success_time: None,
        next_schedule_time: None,
        result: None,
        message: None,
        completion_time: None,
        copied: None,
        unchanged: None,
        failed: None,
        sent_bytes: None,
    }
}

/// When the copy that is farthest behind last succeeded, if all of them have.
fn everything(copies: &[CopyStatus]) -> Option<Time> {
    let successes: Option<Vec<Time>> = copies.iter().map(|copy| copy.last_success_time.clone()).collect();
    successes?.into_iter().min_by_key(|time| time.0)
}

/// What is known of a copy after a run of it, which may have been known before, or be older than the last one.
fn after(known: CopyStatus, run: &ContainerStateTerminated) -> CopyStatus {
    let Some(completion_time) = run.finished_at.clone() else { return known };
    let known = if run.exit_code == 0 { with_success(known, run, &completion_time) } else { known };
    if known.completion_time.as_ref().is_some_and(|last| last.0 >= completion_time.0) {
        return known;
    }
    let (report, reason) = read(run);
    let has_failed = run.exit_code != 0;
    let lag = completion_time.0.duration_since(known.current_as_of.0).max(SignedDuration::ZERO);
    CopyStatus {
        lag: Some(written(lag)),
        result: Some(if has_failed { CollectionResult::Failed } else { CollectionResult::Succeeded }),
        message: reason.filter(|_| has_failed),
        completion_time: Some(completion_time),
        copied: report.copied,
        unchanged: report.unchanged,
        failed: report.failed,
        sent_bytes: report.bytes,
        ..known
    }
}

fn with_success(known: CopyStatus, run: &ContainerStateTerminated, completion_time: &Time) -> CopyStatus {
    if known.last_success_time.as_ref().is_some_and(|last| last.0 >= completion_time.0) {
        return known;
    }
    let began = run.started_at.clone().unwrap_or_else(|| completion_time.clone());
    CopyStatus { current_as_of: began, last_success_time: Some(completion_time.clone()), ..known }
}

/// What a run tells, and why it failed, if it did.
fn read(run: &ContainerStateTerminated) -> (Report, Option<String>) {
    let message = run.message.as_deref().unwrap_or_default();
    let report = serde_json::from_str::<Report>(message).unwrap_or_else(|_| Report {
        // It did not get so far as to report.
        error: Some(message.trim().to_owned()).filter(|text| !text.is_empty()),
        ..Report::default()
    });
    let reason = report.error.clone().or_else(|| run.reason.clone());
    (report, reason.map(|text| text.chars().take(REASON_LIMIT).collect()))
}

fn next(validated: &Validated, copy: &str, now: Timestamp) -> Option<Timestamp> {
    let replication = validated.spec.replication.as_ref()?;
    if replication.suspend || validated.spec.replicas == 0 {
        return None;
    }
    let schedule = validated.replication.get(copy)?.as_ref().ok()?;
    schedule.next(now, &lag::time_zone(replication)?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures;

    /// A run of four seconds that ended at this time.
    fn run(exit_code: i32, at: &str, message: &str) -> ContainerStateTerminated {
        let began = at.parse::<Timestamp>().unwrap() - SignedDuration::from_secs(4);
        let run = json!({"exitCode": exit_code, "startedAt": began, "finishedAt": at, "message": message});
        serde_json::from_value(run).unwrap()
    }

    fn new() -> CopyStatus {
        first("a", "2026-03-01T02:00:00.5Z".parse().unwrap())
    }

    #[test]
    fn a_report_is_read_and_what_is_none_is_a_reason() {
        let report = r#"{"images":3,"copied":2,"unchanged":1,"bytes":9,"failed":0}"#;
        let good = after(new(), &run(0, "2026-03-01T03:00:04Z", report));
        assert_eq!((good.copied, good.unchanged, good.sent_bytes), (Some(2), Some(1), Some(9)));
        assert_eq!((good.result, good.message), (Some(CollectionResult::Succeeded), None));
        let bad = after(new(), &run(1, "2026-03-01T03:00:00Z", "Error: no such host\n"));
        assert_eq!(bad.message.as_deref(), Some("Error: no such host"));
        assert_eq!(bad.last_success_time, None);
    }

    #[test]
    fn the_lag_grows_with_each_failure_until_a_success() {
        let told = |copy: &CopyStatus| (copy.lag.clone().unwrap(), copy.current_as_of.0.to_string());
        let late = |lag: &str, since: &str| (lag.to_owned(), since.to_owned());
        let never = after(new(), &run(1, "2026-03-01T03:00:04Z", "{}"));
        assert_eq!(told(&never), late("1h4s", "2026-03-01T02:00:00Z"));
        let good = after(never, &run(0, "2026-03-01T04:00:04Z", "{}"));
        assert_eq!(told(&good), late("4s", "2026-03-01T04:00:00Z"));
        let bad = after(good, &run(1, "2026-03-01T05:00:04Z", "{}"));
        assert_eq!(told(&bad), late("1h4s", "2026-03-01T04:00:00Z"));
    }

    #[test]
    fn a_failure_leaves_the_time_of_the_last_success() {
        let (first, second) = (run(0, "2026-03-01T03:00:00Z", "{}"), run(1, "2026-03-01T04:00:00Z", "{}"));
        let good = after(new(), &first);
        let last = after(good.clone(), &second);
        assert_eq!(
            (last.result, &last.last_success_time),
            (Some(CollectionResult::Failed), &good.last_success_time)
        );
        let again = [&first, &second, &first].into_iter().fold(last.clone(), after);
        assert_eq!(again, last, "a second look is no news");
        assert_eq!(after(after(new(), &second), &first).last_success_time, last.last_success_time);
    }

    #[test]
    fn what_was_seen_stays_as_long_as_it_is_asked_for() {
        let copy = |name: &str| json!({"name": name, "currentAsOf": "2026-03-01T03:00:00Z", "copied": 1});
        let before = json!({"replication": {"lastRequest": "now", "copies": [copy("a"), copy("gone")]}});
        let status_of = |spec: &str, request: &Request| -> Value {
            let known = serde_json::from_value(before.clone()).unwrap();
            let registry = Registry { status: Some(known), ..fixtures::registry(spec) };
            let validated = Validated::of(&registry);
            let now = "2026-03-01T12:30:00Z".parse().unwrap();
            let (applied, runs) = (Applied::default(), Collections::default());
            json!(status(&registry, &validated, &applied, &runs, request, now))
        };
        let spec = "{replication: {copies: [{name: a, from: 'https://a'}, {name: b, from: 'https://b', schedule: '@daily'}]}}";
        let told = status_of(spec, &Request::None);
        let [a, b] = [&told["copies"][0], &told["copies"][1]];
        assert_eq!((&a["copied"], &a["nextScheduleTime"]), (&json!(1), &json!("2026-03-01T13:00:00Z")));
        assert_eq!((&b["name"], &b["nextScheduleTime"]), (&json!("b"), &json!("2026-03-02T00:00:00Z")));
        assert_eq!(b["currentAsOf"], "2026-03-01T12:30:00Z");
        assert_eq!((&told["copies"][2], &told["lastRequest"]), (&Value::Null, &json!("now")));
        assert_eq!(status_of(spec, &Request::Started("again".to_owned()))["lastRequest"], "again");
        assert_eq!(status_of("{}", &Request::None), Value::Null);
    }
}
