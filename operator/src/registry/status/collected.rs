//! `GarbageCollected`: how the last run ended, or what keeps the next one from running.

use berth_crds::{
    Reason,
    collection_run::{CollectionResult, CollectionRun, GarbageCollectionStatus},
};

use super::truth::Truth;
use crate::{
    metadata::{GARBAGE_COLLECTION, INSTANCE},
    registry::{
        collections::request::Request,
        validate::{Finding, Validated},
    },
};

/// Whether the last garbage collection succeeded. Dry runs do not count.
pub(super) fn garbage_collected(
    validated: &Validated,
    gc: &GarbageCollectionStatus,
    request: &Request,
    refusal: Option<&Finding>,
) -> (Truth, Reason, String) {
    let judged = obstacle(validated, gc, request, refusal).unwrap_or_else(|| last(validated, gc));
    match request {
        Request::Waiting(note) => (judged.0, judged.1, format!("{}; {note}", judged.2)),
        _ => judged,
    }
}

/// What the user asked for, or has to correct.
fn obstacle(
    validated: &Validated,
    gc: &GarbageCollectionStatus,
    request: &Request,
    refusal: Option<&Finding>,
) -> Option<(Truth, Reason, String)> {
    let findings = [validated.schedule.as_ref().err(), refusal, validated.retention.finding.as_ref().err()];
    if let Some(finding) = findings.into_iter().flatten().next() {
        return Some((Truth::False, finding.reason, finding.message.clone()));
    }
    if let Request::Refused(message) = request {
        return Some((
            Truth::False,
            Reason::Failed,
            format!("the Job of the run that is asked for was refused: {message}"),
        ));
    }
    if validated.spec.replicas == 0 {
        let message = "spec.replicas is 0: no garbage collection runs until the registry does";
        return Some((Truth::Unknown, Reason::Stopped, message.to_owned()));
    }
    if validated.spec.gc.suspend {
        let (_, _, last) = last(validated, gc);
        let message = format!("spec.gc.suspend is set: no garbage collection runs by schedule; {last}");
        return Some((Truth::Unknown, Reason::Suspended, message));
    }
    None
}

fn last(validated: &Validated, gc: &GarbageCollectionStatus) -> (Truth, Reason, String) {
    // A success may be known without its run: nobody looked before the Job was gone.
    let later =
        |run: &CollectionRun| gc.last_success_time.as_ref().filter(|time| time.0 > run.completion_time.0);
    match (&gc.last_run, &gc.last_success_time) {
        (Some(run), _) if later(run).is_none() => match run.result {
            CollectionResult::Succeeded => (Truth::True, Reason::Succeeded, success(run)),
            CollectionResult::Failed => (Truth::False, Reason::Failed, failure(validated, run)),
        },
        (_, Some(time)) => (Truth::True, Reason::Succeeded, format!("the last one ended at {}", time.0)),
        (_, None) => {
            let schedule = &validated.spec.gc.schedule;
            (Truth::Unknown, Reason::NeverRun, format!("none has run yet; the schedule is {schedule:?}"))
        }
    }
}

fn success(run: &CollectionRun) -> String {
    let ended = format!("the last one ended at {}", run.completion_time.0);
    [Some(ended), deleted(run), found(run)].into_iter().flatten().collect()
}

fn deleted(run: &CollectionRun) -> Option<String> {
    let (bytes, blobs) = (size(run.freed_bytes?), counted(run.deleted_blobs?, "blob", "blobs"));
    let tags = counted(run.deleted_tags.unwrap_or_default(), "tag", "tags");
    let manifests = counted(run.deleted_manifests.unwrap_or_default(), "manifest", "manifests");
    Some(format!(" and deleted {tags}, {manifests} and {blobs} with {bytes}"))
}

fn found(run: &CollectionRun) -> Option<String> {
    let bytes = run.quarantined_bytes.filter(|bytes| *bytes > 0)?;
    Some(format!("; a later one deletes {} more, which it has found", size(bytes)))
}

fn failure(validated: &Validated, run: &CollectionRun) -> String {
    let identity = &validated.identity;
    let reason = run.message.clone().unwrap_or_else(|| {
        let label = format!("{INSTANCE}={},app.kubernetes.io/component={GARBAGE_COLLECTION}", identity.name);
        format!("`kubectl logs -n {} -l {label}` tells why", identity.namespace)
    });
    format!("Job {}, which ended at {}, failed: {reason}", run.job, run.completion_time.0)
}

fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A number of bytes for people, to a tenth.
fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let exponent = (1..=UNITS.len()).rev().find(|exponent| bytes >> (10 * exponent) > 0);
    let Some((unit, exponent)) = exponent.and_then(|exponent| Some((UNITS.get(exponent - 1)?, exponent)))
    else {
        return counted(bytes, "byte", "bytes");
    };
    let tenths = (i128::from(bytes) * 10) >> (10 * exponent);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::validated;

    fn judged(spec: &str, gc: &Value, request: &Request) -> (Truth, Reason, String) {
        let gc = serde_json::from_value(gc.clone()).unwrap();
        garbage_collected(&validated(spec), &gc, request, None)
    }

    fn of(spec: &str, gc: &Value) -> (Truth, Reason, String) {
        judged(spec, gc, &Request::None)
    }

    fn run(result: &str) -> Value {
        json!({"lastRun": {"job": "hub-gc-1", "result": result, "completionTime": "2026-03-01T03:01:00Z"}})
    }

    #[test]
    fn the_last_run_decides() {
        assert_eq!(of("{}", &json!({})).1, Reason::NeverRun);
        assert_eq!(of("{}", &run("Succeeded")).0, Truth::True);
        assert_eq!(of("{}", &run("Failed")).1, Reason::Failed);
    }

    #[test]
    fn a_success_that_is_known_by_its_time_alone_counts() {
        let mut gc = run("Failed");
        gc["lastSuccessTime"] = json!("2026-03-01T03:02:00Z");
        assert_eq!(of("{}", &gc).1, Reason::Succeeded);
        gc["lastSuccessTime"] = json!("2026-03-01T03:00:00Z");
        assert_eq!(of("{}", &gc).1, Reason::Failed);
    }

    #[test]
    fn a_success_tells_what_it_came_to() {
        let mut gc = run("Succeeded");
        gc["lastRun"]["freedBytes"] = json!(211_042_880);
        gc["lastRun"]["deletedBlobs"] = json!(17);
        gc["lastRun"]["deletedManifests"] = json!(1);
        gc["lastRun"]["quarantinedBytes"] = json!(1500);
        assert_eq!(
            of("{}", &gc).2,
            "the last one ended at 2026-03-01T03:01:00Z and deleted 0 tags, 1 manifest and 17 blobs with 201.2 MiB; \
             a later one deletes 1.4 KiB more, which it has found"
        );
    }

    #[test]
    fn a_failure_quotes_its_reason_or_says_where_to_find_it() {
        let mut gc = run("Failed");
        assert!(of("{}", &gc).2.contains("`kubectl logs -n default -l app.kubernetes.io/instance=hub,"));
        gc["lastRun"]["message"] = json!("the server answered 503");
        assert_eq!(
            of("{}", &gc).2,
            "Job hub-gc-1, which ended at 2026-03-01T03:01:00Z, failed: the server answered 503"
        );
    }

    #[test]
    fn a_suspended_schedule_is_neither_good_nor_bad() {
        let (truth, reason, message) = of("{gc: {suspend: true}}", &run("Succeeded"));
        assert_eq!((truth, reason), (Truth::Unknown, Reason::Suspended));
        assert!(message.contains("the last one ended at"), "{message}");
    }

    #[test]
    fn a_stopped_registry_collects_nothing_and_says_what_waits() {
        let waiting = Request::Waiting("the one that berth.dev/gc asks for waits".to_owned());
        let (truth, reason, message) = judged("{replicas: 0}", &run("Failed"), &waiting);
        assert_eq!((truth, reason), (Truth::Unknown, Reason::Stopped));
        assert!(message.ends_with("; the one that berth.dev/gc asks for waits"), "{message}");
    }

    #[test]
    fn what_has_to_be_corrected_is_told_first() {
        assert_eq!(of("{gc: {schedule: nightly}}", &run("Succeeded")).1, Reason::InvalidSchedule);
        let retention = "{gc: {retention: [{repositories: [A], keepLast: 1}]}}";
        assert_eq!(of(retention, &run("Succeeded")).1, Reason::InvalidRetention);
        let refused = Request::Refused("quota".to_owned());
        assert_eq!(judged("{}", &run("Succeeded"), &refused).1, Reason::Failed);
    }

    #[test]
    fn sizes_are_for_people() {
        let sizes = [1, 1023, 1024, 1536, 211_042_880, i64::MAX].map(size);
        assert_eq!(sizes, ["1 byte", "1023 bytes", "1.0 KiB", "1.5 KiB", "201.2 MiB", "8191.9 PiB"]);
    }
}
