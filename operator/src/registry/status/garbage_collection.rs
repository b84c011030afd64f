//! `GarbageCollected`: what the CronJob says about the last run.

use berth_crds::Reason;
use k8s_openapi::api::batch::v1::CronJob;

use super::truth::Truth;
use crate::registry::validate::{Finding, Validated};

/// Whether the last garbage collection succeeded.
pub(super) fn garbage_collected(
    validated: &Validated,
    cron_job: Option<&CronJob>,
    refusal: Option<&Finding>,
) -> (Truth, Reason, String) {
    if let Some(finding) = validated.schedule.as_ref().err().or(refusal) {
        return (Truth::False, finding.reason, finding.message.clone());
    }
    if validated.spec.gc.suspend {
        return (
            Truth::Unknown,
            Reason::Suspended,
            "spec.gc.suspend is set: no garbage collection runs".to_owned(),
        );
    }
    let status = cron_job.and_then(|cron_job| cron_job.status.clone()).unwrap_or_default();
    let running = status.active.is_some_and(|jobs| !jobs.is_empty());
    let started = status.last_schedule_time.map(|time| time.0);
    match (started, status.last_successful_time.map(|time| time.0)) {
        (Some(started), Some(succeeded)) if succeeded >= started || running => {
            (Truth::True, Reason::Succeeded, format!("the last one ended at {succeeded}"))
        }
        (None, Some(succeeded)) => {
            (Truth::True, Reason::Succeeded, format!("the last one ended at {succeeded}"))
        }
        (Some(started), _) if !running => (Truth::False, Reason::Failed, failure(validated, started)),
        _ => (
            Truth::Unknown,
            Reason::NeverRun,
            format!("the first one comes with the schedule {}", validated.spec.gc.schedule),
        ),
    }
}

fn failure(validated: &Validated, started: jiff::Timestamp) -> String {
    let identity = &validated.identity;
    format!(
        "the one started at {started} failed; `kubectl logs -n {} -l {}={},app.kubernetes.io/component={}` tells why",
        identity.namespace,
        crate::metadata::INSTANCE,
        identity.name,
        crate::metadata::GARBAGE_COLLECTION
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::validated;

    fn reason(spec: &str, status: &Value) -> Reason {
        let cron_job: CronJob = serde_json::from_value(json!({"metadata": {}, "status": status})).unwrap();
        garbage_collected(&validated(spec), Some(&cron_job), None).1
    }

    #[test]
    fn the_last_run_decides() {
        let (earlier, later) = ("2026-03-01T03:00:00Z", "2026-03-01T03:01:00Z");
        assert_eq!(reason("{}", &json!({})), Reason::NeverRun);
        assert_eq!(
            reason("{}", &json!({"lastScheduleTime": earlier, "lastSuccessfulTime": later})),
            Reason::Succeeded
        );
        assert_eq!(
            reason("{}", &json!({"lastScheduleTime": later, "lastSuccessfulTime": earlier})),
            Reason::Failed
        );
        assert_eq!(reason("{}", &json!({"lastScheduleTime": later})), Reason::Failed);
        assert_eq!(
            reason("{}", &json!({"lastScheduleTime": later, "active": [{"name": "hub-gc-1"}]})),
            Reason::NeverRun
        );
        assert_eq!(reason("{}", &json!({"lastSuccessfulTime": later})), Reason::Succeeded);
    }

    #[test]
    fn a_suspended_schedule_is_neither_good_nor_bad() {
        assert_eq!(reason("{gc: {suspend: true}}", &json!({})), Reason::Suspended);
    }

    #[test]
    fn a_bad_schedule_is_told() {
        assert_eq!(reason("{gc: {schedule: nightly}}", &json!({})), Reason::InvalidSchedule);
    }
}
