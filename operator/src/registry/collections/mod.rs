//! The garbage collections of a Registry: the Jobs that do them, and what their pods report.
//!
//! A Job is deleted some time after its end, so what came of it is kept in the status.

mod report;
pub mod request;

use std::collections::BTreeMap;

use berth_crds::{
    annotation::{COLLECT_GARBAGE, DRY_RUN},
    collection_run::{CollectionResult, CollectionRun},
};
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobCondition, JobStatus},
        core::v1::{ContainerStateTerminated, ContainerStatus, Pod},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Api, Client, ResourceExt, api::ListParams};

use self::report::Report;
pub(in crate::registry) use self::report::written;
use crate::metadata::{GARBAGE_COLLECTION, Identity};

/// The Jobs of a Registry's garbage collection, and their pods.
#[derive(Debug, Default)]
pub struct Collections {
    jobs: Vec<Job>,
    pods: Vec<Pod>,
}

/// A garbage collection that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// What came of it.
    pub run: CollectionRun,
    /// Whether nothing was deleted.
    pub dry_run: bool,
}

impl Collections {
    /// Reads those that there are.
    pub async fn observe(client: &Client, identity: &Identity) -> Result<Self, kube::Error> {
        Self::observe_component(client, identity, GARBAGE_COLLECTION).await
    }

    /// Reads the Jobs and pods of another component.
    pub async fn observe_component(
        client: &Client,
        identity: &Identity,
        component: &str,
    ) -> Result<Self, kube::Error> {
        let selector = selector(&identity.pod_labels(component));
        let parameters = ListParams::default().labels(&selector);
        let jobs: Api<Job> = Api::namespaced(client.clone(), &identity.namespace);
        let jobs = jobs.list(&parameters).await?.items;
        if jobs.is_empty() {
            return Ok(Self::default());
        }
        let pods: Api<Pod> = Api::namespaced(client.clone(), &identity.namespace);
        Ok(Self { jobs, pods: pods.list(&parameters).await?.items })
    }

    /// Those that have ended, of the Registry or its CronJob, which have these uids: a Registry that was deleted may have had the
    /// same name.
    pub fn ended(&self, owners: &[&str]) -> Vec<Ended> {
        let ours = self.jobs.iter().filter(|job| is_owned(&job.metadata, owners));
        ours.filter_map(|job| ended(job, self.termination(job))).collect()
    }

    /// How the containers of the Jobs of these owners ended, with their names.
    pub fn terminations(&self, owners: &[&str]) -> Vec<(&str, &ContainerStateTerminated)> {
        let ours = self.jobs.iter().filter(|job| is_owned(&job.metadata, owners));
        let uids: Vec<&str> = ours.filter_map(|job| job.metadata.uid.as_deref()).collect();
        let pods = self.pods.iter().filter(|pod| is_owned(&pod.metadata, &uids));
        let containers = pods.filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref()).flatten();
        containers.filter_map(how_it_ended).collect()
    }

    /// How the container of a Job ended.
    fn termination(&self, job: &Job) -> Option<&ContainerStateTerminated> {
        let uid = job.metadata.uid.as_deref()?;
        let pod = self.pods.iter().find(|pod| is_owned(&pod.metadata, &[uid]))?;
        let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
        let container = containers.iter().find(|container| container.name == GARBAGE_COLLECTION)?;
        container.state.as_ref()?.terminated.as_ref()
    }
}

fn how_it_ended(status: &ContainerStatus) -> Option<(&str, &ContainerStateTerminated)> {
    Some((&status.name, status.state.as_ref()?.terminated.as_ref()?))
}

fn selector(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

fn is_owned(object: &ObjectMeta, owners: &[&str]) -> bool {
    object.owner_references.iter().flatten().any(|owner| owners.contains(&owner.uid.as_str()))
}

fn ended(job: &Job, termination: Option<&ContainerStateTerminated>) -> Option<Ended> {
    let status = job.status.as_ref()?;
    let (result, end) = end(status)?;
    let report = termination.and_then(|ended| ended.message.as_deref()).map(Report::read).unwrap_or_default();
    let completion_time = status.completion_time.clone().or_else(|| end.last_transition_time.clone())?;
    let whole_duration = || Some(between(status.start_time.as_ref()?, &completion_time));
    let duration = report.duration().or_else(whole_duration);
    let message = report.error.clone().or_else(|| end.message.clone());
    let run = CollectionRun {
        job: job.name_any(),
        result,
        message: message.filter(|_| result == CollectionResult::Failed),
        start_time: status.start_time.clone(),
        duration,
        completion_time,
        freed_bytes: report.bytes_freed,
        deleted_blobs: report.blobs_deleted,
        deleted_manifests: report.manifests_deleted,
        deleted_tags: report.tags_deleted,
        quarantined_bytes: report.bytes_quarantined,
    };
    Some(Ended { run, dry_run: report.dry_run.unwrap_or_else(|| asks_dry_run(job)) })
}

/// How the Job ended, as its controller says.
fn end(status: &JobStatus) -> Option<(CollectionResult, &JobCondition)> {
    let mut conditions = status.conditions.iter().flatten().filter(|condition| condition.status == "True");
    let result = |condition: &JobCondition| match condition.type_.as_str() {
        "Complete" => Some(CollectionResult::Succeeded),
        "Failed" => Some(CollectionResult::Failed),
        _ => None,
    };
    conditions.find_map(|condition| Some((result(condition)?, condition)))
}

fn between(start: &Time, end: &Time) -> String {
    report::written(end.0.duration_since(start.0))
}

/// What the Job was to do, for one that did not come to report.
fn asks_dry_run(job: &Job) -> bool {
    job.annotations().get(COLLECT_GARBAGE).is_some_and(|value| value.starts_with(DRY_RUN))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A Job of the Registry's, with the pod that ended with this message.
    pub(crate) fn finished(name: &str, condition: &Value, message: Option<&str>) -> Collections {
        let job = json!({
            "metadata": {"name": name, "uid": name, "ownerReferences": [
                {"apiVersion": "berth.dev/v1alpha1", "kind": "Registry", "name": "hub", "uid": "4f6c"},
            ]},
            "status": {"startTime": "2026-03-01T03:00:00Z", "conditions": [condition]},
        });
        let pod = json!({
            "metadata": {"name": name, "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": name},
            ]},
            "status": {"containerStatuses": [{
                "name": "garbage-collection", "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "message": message}},
            }]},
        });
        Collections {
            jobs: vec![serde_json::from_value(job).unwrap()],
            pods: vec![serde_json::from_value(pod).unwrap()],
        }
    }

    pub(crate) fn complete() -> Value {
        json!({"type": "Complete", "status": "True", "lastTransitionTime": "2026-03-01T03:01:05Z"})
    }

    pub(crate) fn failed(message: &str) -> Value {
        json!({"type": "Failed", "status": "True", "lastTransitionTime": "2026-03-01T03:01:05Z", "message": message})
    }

    fn only(collections: &Collections) -> Ended {
        collections.ended(&["4f6c"]).pop().unwrap()
    }

    #[test]
    fn the_report_of_the_pod_tells_what_was_deleted() {
        let report = json!({
            "state": "succeeded", "dryRun": false, "startedAt": "2026-03-01T03:00:02Z", "finishedAt": "2026-03-01T03:00:06Z",
            "bytesFreed": 211_042_880, "blobsDeleted": 17, "manifestsDeleted": 3, "tagsDeleted": 2, "bytesQuarantined": 9,
        });
        let ended = only(&finished("hub-gc-1", &complete(), Some(&report.to_string())));
        assert_eq!(
            serde_json::to_value(&ended.run).unwrap(),
            json!({
                "job": "hub-gc-1", "result": "Succeeded", "startTime": "2026-03-01T03:00:00Z",
                "completionTime": "2026-03-01T03:01:05Z", "duration": "4s", "freedBytes": 211_042_880,
                "deletedBlobs": 17, "deletedManifests": 3, "deletedTags": 2, "quarantinedBytes": 9,
            })
        );
        assert!(!ended.dry_run);
    }

    #[test]
    fn without_a_report_the_job_tells_that_it_ended() {
        let ended = only(&finished("hub-gc-1", &complete(), None));
        assert_eq!((ended.run.duration.as_deref(), ended.run.freed_bytes), (Some("1m5s"), None));
    }

    #[test]
    fn a_failure_has_the_best_reason_that_is_known() {
        let reason = |message: Option<&str>| {
            only(&finished("hub-gc-1", &failed("Job has reached the specified backoff limit"), message))
                .run
                .message
        };
        assert_eq!(reason(Some(r#"{"state": "failed", "error": "disk"}"#)).as_deref(), Some("disk"));
        assert_eq!(reason(Some("Error: no such file\n")).as_deref(), Some("Error: no such file"));
        assert_eq!(reason(None).as_deref(), Some("Job has reached the specified backoff limit"));
    }

    #[test]
    fn a_run_that_goes_on_or_is_of_another_registry_has_not_ended() {
        let going_on = finished("hub-gc-1", &json!({"type": "Complete", "status": "False"}), None);
        assert!(going_on.ended(&["4f6c"]).is_empty());
        assert!(finished("hub-gc-1", &complete(), None).ended(&["7a01"]).is_empty());
    }

    #[test]
    fn a_dry_run_is_known_by_its_report_or_by_what_was_asked_for() {
        assert!(only(&finished("a", &complete(), Some(r#"{"dryRun": true}"#))).dry_run);
        let mut silent = finished("a", &failed("deadline"), None);
        silent.jobs[0].annotations_mut().insert(COLLECT_GARBAGE.to_owned(), "dry-run-1".to_owned());
        assert!(only(&silent).dry_run);
    }
}
