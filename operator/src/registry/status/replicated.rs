//! `Replicated`: whether the last copies succeeded, or what keeps the next ones from being made.

use berth_crds::{
    Reason,
    collection_run::CollectionResult,
    replication::{CopyStatus, Replication, ReplicationStatus},
};
use jiff::Timestamp;

use super::truth::Truth;
use crate::{
    lag,
    metadata::{COPY, INSTANCE},
    registry::{
        collections::request::Request,
        validate::{Finding, Validated},
    },
};

/// Whether everything was copied in time; `None` when nothing is to be.
pub(super) fn replicated(
    validated: &Validated,
    status: Option<&ReplicationStatus>,
    request: &Request,
    refusal: Option<&Finding>,
    now: Timestamp,
) -> Option<(Truth, Reason, String)> {
    let (replication, status) = (validated.spec.replication.as_ref()?, status?);
    let judged = obstacle(validated, replication, request, refusal)
        .or_else(|| behind(validated, replication, status, now))
        .unwrap_or_else(|| last(replication, status));
    Some(match request {
        Request::Waiting(note) => (judged.0, judged.1, format!("{}; {note}", judged.2)),
        _ => judged,
    })
}

/// What the user asked for, or has to correct.
fn obstacle(
    validated: &Validated,
    replication: &Replication,
    request: &Request,
    refusal: Option<&Finding>,
) -> Option<(Truth, Reason, String)> {
    let schedule = validated.replication.values().find_map(|schedule| schedule.as_ref().err());
    if let Some(finding) = schedule.or(refusal) {
        return Some((Truth::False, finding.reason, finding.message.clone()));
    }
    if let Request::Refused(message) = request {
        let message = format!("a Job of the copies that are asked for was refused: {message}");
        return Some((Truth::False, Reason::Failed, message));
    }
    if validated.spec.replicas == 0 {
        let message = "spec.replicas is 0: nothing is copied until the registry runs";
        return Some((Truth::Unknown, Reason::Stopped, message.to_owned()));
    }
    if replication.suspend {
        let message = "spec.replication.suspend is set: nothing is copied by schedule";
        return Some((Truth::Unknown, Reason::Suspended, message.to_owned()));
    }
    None
}

/// Which copies lag or failed, and why.
fn behind(
    validated: &Validated,
    replication: &Replication,
    status: &ReplicationStatus,
    now: Timestamp,
) -> Option<(Truth, Reason, String)> {
    let late: Vec<&CopyStatus> =
        status.copies.iter().filter(|copy| is_late(validated, replication, copy, now)).collect();
    let told: Vec<String> = status
        .copies
        .iter()
        .filter_map(|copy| match (late.contains(&copy), failure(validated, copy)) {
            (true, Some(failure)) => Some(format!("{failure} ({})", since(copy))),
            (true, None) => Some(format!("the copy {:?} lags: {}", copy.name, since(copy))),
            (false, failure) => failure,
        })
        .collect();
    let reason = if late.is_empty() { Reason::Failed } else { Reason::Lagging };
    (!told.is_empty()).then(|| (Truth::False, reason, told.join("; ")))
}

fn is_late(validated: &Validated, replication: &Replication, copy: &CopyStatus, now: Timestamp) -> bool {
    let schedule = validated.replication.get(&copy.name).and_then(|schedule| schedule.as_ref().ok());
    let judged = schedule.zip(lag::time_zone(replication));
    judged.is_some_and(|(schedule, zone)| lag::is_late(schedule, &zone, copy, now))
}

fn since(copy: &CopyStatus) -> String {
    match copy.last_success_time {
        Some(_) => format!("what came after {} is missing", copy.current_as_of.0),
        None => format!("it has been asked for since {} and never succeeded", copy.current_as_of.0),
    }
}

fn last(replication: &Replication, status: &ReplicationStatus) -> (Truth, Reason, String) {
    let never = status.copies.iter().find(|copy| copy.result.is_none());
    let asked_for = never.and_then(|never| replication.copies.iter().find(|copy| copy.name == never.name));
    match asked_for {
        Some(copy) => {
            let schedule = lag::schedule(replication, copy);
            let message = format!("{} has not ended yet; the schedule is {schedule:?}", copy.name);
            (Truth::Unknown, Reason::NeverRun, message)
        }
        None => (Truth::True, Reason::Succeeded, success(status)),
    }
}

fn success(status: &ReplicationStatus) -> String {
    let sum = |number: fn(&CopyStatus) -> Option<i64>| status.copies.iter().filter_map(number).sum::<i64>();
    let (copied, unchanged) = (sum(|run| run.copied), sum(|run| run.unchanged));
    let ended = status.copies.iter().filter_map(|run| Some(run.completion_time.as_ref()?.0)).max();
    let ended = ended.map(|at| format!("the last run ended at {at}: ")).unwrap_or_default();
    format!("{ended}{copied} images copied, {unchanged} unchanged")
}

fn failure(validated: &Validated, copy: &CopyStatus) -> Option<String> {
    if copy.result != Some(CollectionResult::Failed) {
        return None;
    }
    let reason = copy.message.clone().unwrap_or_else(|| {
        let identity = &validated.identity;
        let label = format!("{INSTANCE}={},{COPY}={}", identity.name, copy.name);
        format!("`kubectl logs -n {} -l {label}` tells why", identity.namespace)
    });
    let images = copy.failed.filter(|failed| *failed > 0).map(|failed| format!(" of {failed} images"));
    Some(format!("the copy {:?}{} failed: {reason}", copy.name, images.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::validated;

    const ONE: &str = "{replication: {copies: [{name: a, from: 'https://a'}]}}";

    fn judged(spec: &str, copies: &Value) -> Option<(Truth, Reason, String)> {
        judged_at("2026-03-01T04:30:00Z", spec, copies)
    }

    fn judged_at(now: &str, spec: &str, copies: &Value) -> Option<(Truth, Reason, String)> {
        let status = serde_json::from_value(json!({"copies": copies})).unwrap();
        replicated(&validated(spec), Some(&status), &Request::None, None, now.parse().unwrap())
    }

    fn copy(result: &str, more: &Value) -> Value {
        let mut copy = json!({
            "name": "a", "currentAsOf": "2026-03-01T03:00:00Z", "result": result, "completionTime": "2026-03-01T03:00:00Z",
        });
        copy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([copy])
    }

    #[test]
    fn what_was_copied_is_told() {
        let (truth, reason, message) =
            judged(ONE, &copy("Succeeded", &json!({"copied": 2, "unchanged": 5}))).unwrap();
        assert_eq!((truth, reason), (Truth::True, Reason::Succeeded));
        assert_eq!(message, "the last run ended at 2026-03-01T03:00:00Z: 2 images copied, 5 unchanged");
    }

    #[test]
    fn a_failure_tells_its_reason_or_where_it_is() {
        let (truth, _, message) =
            judged(ONE, &copy("Failed", &json!({"message": "no host", "failed": 3}))).unwrap();
        assert_eq!((truth, message.as_str()), (Truth::False, "the copy \"a\" of 3 images failed: no host"));
        let (_, _, message) = judged(ONE, &copy("Failed", &json!({}))).unwrap();
        assert!(message.contains("kubectl logs") && message.contains("berth.dev/copy=a"), "{message}");
    }

    #[test]
    fn a_copy_that_has_missed_its_schedule_lags_however_it_ended() {
        let told = |result: &str, more: &Value| {
            let (truth, reason, message) =
                judged_at("2026-03-01T05:00:00Z", ONE, &copy(result, more)).unwrap();
            assert_eq!((truth, reason), (Truth::False, Reason::Lagging));
            message
        };
        let message = told("Succeeded", &json!({"lastSuccessTime": "2026-03-01T03:00:00Z"}));
        assert_eq!(message, "the copy \"a\" lags: what came after 2026-03-01T03:00:00Z is missing");
        let message = told("Failed", &json!({"message": "no host"}));
        assert!(
            message.starts_with("the copy \"a\" failed: no host (it has been asked for since"),
            "{message}"
        );
    }

    #[test]
    fn what_keeps_copies_from_being_made_is_told() {
        let reason = |spec: &str| judged(spec, &json!([])).map(|(_, reason, _)| reason);
        assert_eq!(reason("{}"), None);
        let waiting = json!([{"name": "a", "currentAsOf": "2026-03-01T04:00:00Z"}]);
        assert_eq!(judged(ONE, &waiting).unwrap().1, Reason::NeverRun);
        let with =
            |more: &str| format!("{{replication: {{{more}, copies: [{{name: a, from: 'https://a'}}]}}}}");
        assert_eq!(reason(&with("suspend: true")), Some(Reason::Suspended));
        assert_eq!(reason(&with("schedule: often")), Some(Reason::InvalidSchedule));
    }
}
