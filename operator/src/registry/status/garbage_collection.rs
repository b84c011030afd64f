//! `status.gc`: the runs so far, and the next one. What an earlier look has found stays when its Job is gone.

use berth_crds::{
    Registry,
    collection_run::{CollectionResult, CollectionRun, GarbageCollectionStatus},
};
use jiff::Timestamp;
use k8s_openapi::{api::batch::v1::CronJob, apimachinery::pkg::apis::meta::v1::Time};
use kube::ResourceExt;

use crate::{
    apply::Applied,
    registry::{
        build::Objects,
        collections::{Collections, request::Request},
        validate::{Validated, schedule},
    },
};

/// What is known of the garbage collections.
pub(super) fn status(
    registry: &Registry,
    validated: &Validated,
    applied: &Applied,
    collections: &Collections,
    request: &Request,
    now: Timestamp,
) -> GarbageCollectionStatus {
    let before = registry.status.as_ref().and_then(|status| status.gc.clone()).unwrap_or_default();
    let name = Objects::ids(&validated.identity).garbage_collection.name;
    let cron_job: Option<CronJob> = applied.children.get(&name);
    let owners = [registry.uid(), cron_job.as_ref().and_then(ResourceExt::uid)];
    let owners: Vec<&str> = owners.iter().flatten().map(String::as_str).collect();
    let (mut runs, mut dry_runs) = (vec![before.last_run], vec![before.last_dry_run]);
    for ended in collections.ended(&owners) {
        if ended.dry_run { &mut dry_runs } else { &mut runs }.push(Some(ended.run));
    }
    let last_run = newest(runs);
    let by_schedule = cron_job.and_then(|cron_job| cron_job.status).unwrap_or_default();
    let succeeded = last_run.as_ref().filter(|run| run.result == CollectionResult::Succeeded);
    let successes = [
        before.last_success_time,
        by_schedule.last_successful_time,
        succeeded.map(|run| run.completion_time.clone()),
    ];
    GarbageCollectionStatus {
        last_schedule_time: by_schedule.last_schedule_time.or(before.last_schedule_time),
        last_success_time: successes.into_iter().flatten().max_by_key(|time| time.0),
        next_schedule_time: next(validated, applied, now).map(Time),
        last_request: match request {
            Request::Started(value) => Some(value.clone()),
            _ => before.last_request,
        },
        last_run,
        last_dry_run: newest(dry_runs),
    }
}

/// The run that ended last; of two that ended at the same time, the one that is known already.
fn newest(runs: Vec<Option<CollectionRun>>) -> Option<CollectionRun> {
    runs.into_iter()
        .flatten()
        .reduce(|newest, run| if run.completion_time.0 > newest.completion_time.0 { run } else { newest })
}

fn next(validated: &Validated, applied: &Applied, now: Timestamp) -> Option<Timestamp> {
    let gc = &validated.spec.gc;
    let cron_job = Objects::ids(&validated.identity).garbage_collection;
    let refused = applied.rejections.iter().any(|rejection| rejection.child == cron_job);
    if gc.suspend || validated.spec.replicas == 0 || refused {
        return None;
    }
    schedule::next(validated.schedule.as_ref().ok()?, gc, now)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        apply::Rejection,
        children::{ChildId, Children, Kind},
        fixtures,
        registry::collections::tests::{complete, failed, finished},
    };

    const NOW: &str = "2026-03-01T12:00:00Z";

    fn after(before: &Value, collections: &Collections, request: &Request) -> GarbageCollectionStatus {
        let status = serde_json::from_value(json!({"gc": before})).unwrap();
        let registry = Registry { status: Some(status), ..fixtures::registry("{}") };
        let validated = Validated::of(&registry);
        status_of(&registry, &validated, &Applied::default(), collections, request)
    }

    fn status_of(
        registry: &Registry,
        validated: &Validated,
        applied: &Applied,
        collections: &Collections,
        request: &Request,
    ) -> GarbageCollectionStatus {
        status(registry, validated, applied, collections, request, NOW.parse().unwrap())
    }

    fn next_of(spec: &str, applied: &Applied) -> Option<String> {
        let registry = fixtures::registry(spec);
        let validated = Validated::of(&registry);
        let status = status_of(&registry, &validated, applied, &Collections::default(), &Request::None);
        status.next_schedule_time.map(|time| time.0.to_string())
    }

    #[test]
    fn a_run_that_was_seen_stays_when_its_job_is_gone() {
        let first = after(&json!({}), &finished("hub-gc-1", &complete(), None), &Request::None);
        assert_eq!(first.last_run.as_ref().map(|run| run.job.as_str()), Some("hub-gc-1"));
        assert_eq!(first.last_success_time, first.last_run.as_ref().map(|run| run.completion_time.clone()));
        let second = after(&json!(first), &Collections::default(), &Request::None);
        assert_eq!(second, first, "a second look is no news");
    }

    #[test]
    fn an_older_run_does_not_replace_a_newer_one() {
        let newer =
            json!({"lastRun": {"job": "b", "result": "Failed", "completionTime": "2026-03-01T10:00:00Z"}});
        let status = after(&newer, &finished("a", &complete(), None), &Request::None);
        assert_eq!(status.last_run.map(|run| run.job).as_deref(), Some("b"));
    }

    #[test]
    fn a_failure_leaves_the_time_of_the_last_success() {
        let before = json!({"lastSuccessTime": "2026-02-28T03:00:04Z"});
        let status = after(&before, &finished("a", &failed("deadline"), None), &Request::None);
        assert_eq!(
            status.last_success_time.map(|time| time.0.to_string()).as_deref(),
            Some("2026-02-28T03:00:04Z")
        );
        assert_eq!(status.last_run.and_then(|run| run.message).as_deref(), Some("deadline"));
    }

    #[test]
    fn a_dry_run_stands_apart() {
        let report = r#"{"dryRun": true, "blobsDeleted": 4}"#;
        let status = after(&json!({}), &finished("a", &complete(), Some(report)), &Request::None);
        assert_eq!(status.last_dry_run.and_then(|run| run.deleted_blobs), Some(4));
        assert_eq!((status.last_run, status.last_success_time), (None, None));
    }

    #[test]
    fn what_was_started_is_repeated_until_something_else_is() {
        let of =
            |before: Value, request: &Request| after(&before, &Collections::default(), request).last_request;
        let started = Request::Started("b".to_owned());
        assert_eq!(of(json!({"lastRequest": "a"}), &started).as_deref(), Some("b"));
        let waiting = Request::Waiting("no replica serves".to_owned());
        assert_eq!(of(json!({"lastRequest": "a"}), &waiting).as_deref(), Some("a"));
    }

    #[test]
    fn the_next_run_is_told_only_if_there_will_be_one() {
        let applied = Applied::default();
        assert_eq!(next_of("{}", &applied).as_deref(), Some("2026-03-02T03:00:00Z"));
        for spec in ["{gc: {schedule: nightly}}", "{gc: {suspend: true}}", "{replicas: 0}"] {
            assert_eq!(next_of(spec, &applied), None, "{spec}");
        }
        let child = ChildId::new(Kind::CronJob, "hub-gc".to_owned());
        let rejections = vec![Rejection { child, message: "no".to_owned() }];
        assert_eq!(next_of("{}", &Applied { children: Children::default(), rejections }), None);
    }
}
