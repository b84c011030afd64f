//! Jobs `NAME-gc-HASH` and `NAME-copy-COPY-HASH`: what an annotation asks for at once, with the pod of the CronJob.

use berth_crds::annotation::{COLLECT_GARBAGE, DRY_RUN};
use serde_json::{Value, json};

use crate::{digest::sha256_hex, metadata::Identity};

/// How long the Job stays after its end: its log is there for a day.
const TIME_TO_LIVE_SECONDS: u32 = 24 * 3600;

/// The garbage collection that the annotation asks for.
pub fn collection_job(identity: &Identity, cron_job: &Value, value: &str) -> Value {
    let mut job = requested_job(identity, cron_job, COLLECT_GARBAGE, value);
    let arguments = job.pointer_mut("/spec/template/spec/containers/0/args").and_then(Value::as_array_mut);
    if let Some(arguments) = arguments.filter(|_| value.starts_with(DRY_RUN)) {
        arguments.push(json!("--dry-run"));
    }
    job
}

/// The Job for a value of an annotation, from the manifest of the CronJob. The same value always gives the same name.
pub fn requested_job(identity: &Identity, cron_job: &Value, annotation: &str, value: &str) -> Value {
    let hash: String = sha256_hex(value.as_bytes()).chars().take(10).collect();
    let name = cron_job["metadata"]["name"].as_str().unwrap_or(&identity.name);
    let template = &cron_job["spec"]["jobTemplate"];
    let mut metadata = json!(identity.owned(format!("{name}-{hash}")));
    metadata["labels"] = template["metadata"]["labels"].clone();
    metadata["annotations"] = json!({annotation: value});
    let mut spec = template["spec"].clone();
    spec["ttlSecondsAfterFinished"] = json!(TIME_TO_LIVE_SECONDS);
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::Job;

    use super::*;
    use crate::{
        apply::Desired,
        fixtures::{settings, validated},
        registry::{build::cron_job::cron_job, validate::pod_template::unknown_field},
    };

    fn built(value: &str) -> (Value, Value) {
        let validated = validated("{}");
        let Desired::Present(cron_job) = cron_job(&validated, Some("CA"), &settings()) else {
            panic!("a CronJob")
        };
        let job = collection_job(&validated.identity, &cron_job, value);
        (job, cron_job["spec"]["jobTemplate"]["spec"]["template"].clone())
    }

    #[test]
    fn it_runs_the_pod_of_the_cron_job_and_is_deleted_with_the_registry() {
        let (job, template) = built("now");
        assert_eq!(job["spec"]["template"], template);
        assert_eq!(job["metadata"]["name"], "hub-gc-ed5eb9a37e");
        assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], "4f6c");
        assert_eq!(job["metadata"]["labels"]["app.kubernetes.io/component"], "garbage-collection");
        let typed: Job = serde_json::from_value(job.clone()).unwrap();
        assert_eq!(unknown_field("", &job, &serde_json::to_value(typed).unwrap()), None);
    }

    #[test]
    fn a_value_that_begins_so_makes_it_a_dry_run() {
        let last = |job: &Value| {
            let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].as_array().cloned();
            arguments.unwrap().pop()
        };
        assert_eq!(last(&built("dry-run-2").0), Some(json!("--dry-run")));
        assert_ne!(last(&built("now").0), Some(json!("--dry-run")));
    }

    #[test]
    fn another_value_gives_another_name() {
        assert_ne!(built("a").0["metadata"]["name"], built("b").0["metadata"]["name"]);
    }
}
