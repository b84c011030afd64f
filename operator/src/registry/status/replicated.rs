//! `Replicated`: whether the last copies succeeded, or what keeps the next ones from being made.

use berth_crds::{
    Reason,
    collection_run::CollectionResult,
    replication::{CopyRun, ReplicationStatus},
};

use super::truth::Truth;
use crate::{
    metadata::{INSTANCE, REPLICATION},
    registry::validate::{Finding, Validated},
};

/// Whether everything was copied; `None` when nothing is to be.
pub(super) fn replicated(
    validated: &Validated,
    status: Option<&ReplicationStatus>,
    refusal: Option<&Finding>,
) -> Option<(Truth, Reason, String)> {
    let (replication, status) = (validated.spec.replication.as_ref()?, status?);
    let schedule = validated.replication.as_ref().and_then(|schedule| schedule.as_ref().err());
    if let Some(finding) = schedule.or(refusal) {
        return Some((Truth::False, finding.reason, finding.message.clone()));
    }
    if validated.spec.replicas == 0 {
        let message = "spec.replicas is 0: nothing is copied until the registry runs";
        return Some((Truth::Unknown, Reason::Stopped, message.to_owned()));
    }
    if replication.suspend {
        let message = "spec.replication.suspend is set: nothing is copied by schedule";
        return Some((Truth::Unknown, Reason::Suspended, message.to_owned()));
    }
    let failed: Vec<String> = status.copies.iter().filter_map(|run| failure(validated, run)).collect();
    if !failed.is_empty() {
        return Some((Truth::False, Reason::Failed, failed.join("; ")));
    }
    let never = replication.copies.iter().find(|copy| status.copies.iter().all(|run| run.name != copy.name));
    Some(match never {
        Some(copy) => {
            let message =
                format!("{} has not ended yet; the schedule is {:?}", copy.name, replication.schedule);
            (Truth::Unknown, Reason::NeverRun, message)
        }
        None => (Truth::True, Reason::Succeeded, success(status)),
    })
}

fn success(status: &ReplicationStatus) -> String {
    let sum = |number: fn(&CopyRun) -> Option<i64>| status.copies.iter().filter_map(number).sum::<i64>();
    let (copied, unchanged) = (sum(|run| run.copied), sum(|run| run.unchanged));
    let ended = status.copies.iter().map(|run| run.completion_time.0).max();
    let ended = ended.map(|at| format!("the last run ended at {at}: ")).unwrap_or_default();
    format!("{ended}{copied} images copied, {unchanged} unchanged")
}

fn failure(validated: &Validated, run: &CopyRun) -> Option<String> {
    if run.result == CollectionResult::Succeeded {
        return None;
    }
    let reason = run.message.clone().unwrap_or_else(|| {
        let identity = &validated.identity;
        let label = format!("{INSTANCE}={},app.kubernetes.io/component={REPLICATION}", identity.name);
        format!("`kubectl logs -n {} -l {label} -c {}` tells why", identity.namespace, run.name)
    });
    let images = run.failed.filter(|failed| *failed > 0).map(|failed| format!(" of {failed} images"));
    Some(format!("the copy {:?}{} failed: {reason}", run.name, images.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::validated;

    const ONE: &str = "{replication: {copies: [{name: a, from: 'https://a'}]}}";

    fn judged(spec: &str, copies: &Value) -> Option<(Truth, Reason, String)> {
        let status = serde_json::from_value(json!({"copies": copies})).unwrap();
        replicated(&validated(spec), Some(&status), None)
    }

    fn copy(result: &str, more: &Value) -> Value {
        let mut copy = json!({"name": "a", "result": result, "completionTime": "2026-03-01T03:00:00Z"});
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
        assert!(message.contains("kubectl logs") && message.contains("-c a"), "{message}");
    }

    #[test]
    fn what_keeps_copies_from_being_made_is_told() {
        let reason = |spec: &str| judged(spec, &json!([])).map(|(_, reason, _)| reason);
        assert_eq!(reason("{}"), None);
        assert_eq!(reason(ONE), Some(Reason::NeverRun));
        let with =
            |more: &str| format!("{{replication: {{{more}, copies: [{{name: a, from: 'https://a'}}]}}}}");
        assert_eq!(reason(&with("suspend: true")), Some(Reason::Suspended));
        assert_eq!(reason(&with("schedule: often")), Some(Reason::InvalidSchedule));
    }
}
