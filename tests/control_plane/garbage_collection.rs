//! Garbage collections that are asked for, and what is told of them. The controllers of the cluster make the pods; the tests play
//! the node that runs them.

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::{
    fixture::{Namespace, PATIENCE, kubectl, start_operator},
    requests::{self, Request},
    silence::wait_for_silence,
};

/// What a run leaves in its termination message.
fn report(dry_run: bool, freed: u64) -> Value {
    json!({
        "state": "succeeded", "dryRun": dry_run, "startedAt": "2026-03-01T03:00:00Z", "finishedAt": "2026-03-01T03:00:04Z",
        "tagsDeleted": 2, "manifestsDeleted": 3, "blobsDeleted": 17, "bytesFreed": freed, "bytesQuarantined": 9, "error": null,
    })
}

/// A namespace with a Registry on the pod's own disk, of which one replica serves.
fn serving(name: &'static str) -> Namespace {
    let namespace = Namespace::create(name).unwrap();
    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    serve(&namespace);
    namespace
}

/// Plays the node on which the registry's pod is ready.
pub(crate) fn serve(namespace: &Namespace) {
    let selector = "app.kubernetes.io/component=registry";
    let pod =
        wait::until("the registry's pod", PATIENCE, || namespace.first_pod(selector, |_| true)).unwrap();
    let ready = json!({"phase": "Running", "conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T00:00:00Z"},
    ]});
    namespace.set_status(&pod, &ready).unwrap();
    namespace.wait_for_reason("Ready", "Ready").unwrap();
}

impl Namespace {
    /// The name of the first pod that is labelled and looks so.
    pub(crate) fn first_pod(&self, selector: &str, is_wanted: impl Fn(&Value) -> bool) -> Result<String> {
        let pods = self.run(&["get", "pods", "--selector", selector, "--output=json"])?;
        let pods: Value = serde_json::from_str(&pods)?;
        let pod = pods["items"].as_array().into_iter().flatten().find(|pod| is_wanted(pod));
        Ok(pod.with_context(|| format!("no pod {selector}"))?["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .into())
    }

    pub(crate) fn set_status(&self, pod: &str, status: &Value) -> Result<()> {
        let patch = json!({"status": status}).to_string();
        let pod = format!("pod/{pod}");
        self.run(&["patch", &pod, "--subresource=status", "--type=merge", "--patch", &patch]).map(drop)
    }

    fn ask(&self, value: &str) -> Result<()> {
        let annotation = format!("berth.dev/gc={value}");
        self.run(&["annotate", "--overwrite", "registry/hub", &annotation]).map(drop)
    }

    /// The names of the Jobs of the garbage collection.
    fn jobs(&self) -> Vec<String> {
        let names = self.run(&["get", "jobs", "--output=jsonpath={.items[*].metadata.name}"]).unwrap();
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// Waits for the pod of a Job, and plays the node on which its container ends.
    fn end(&self, job: &str, succeeds: bool, message: &str) {
        let selector = format!("batch.kubernetes.io/job-name={job}");
        let pod =
            wait::until("the pod of the Job", PATIENCE, || self.first_pod(&selector, |_| true)).unwrap();
        let (phase, code) = if succeeds { ("Succeeded", 0) } else { ("Failed", 1) };
        let container = json!({
            "name": "garbage-collection", "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code, "message": message}},
        });
        self.set_status(&pod, &json!({"phase": phase, "containerStatuses": [container]})).unwrap();
    }

    fn gc(&self) -> Result<Value> {
        Ok(self.get("registry/hub")?["status"]["gc"].clone())
    }

    fn wait_for_gc(&self, what: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, PATIENCE, || {
            let gc = self.gc()?;
            ensure!(is_there(&gc), "{gc:#}");
            Ok(gc)
        })
        .unwrap()
    }

    fn wait_for_request(&self, value: &str) {
        self.wait_for_gc("the request to be done", |gc| gc["lastRequest"] == value);
    }
}

/// The Jobs that the operator asked the API server to make.
fn created(namespace: &Namespace) -> usize {
    let requests = requests::within(namespace.name);
    requests.iter().filter(|request| request.method == "POST" && request.path.ends_with("/jobs")).count()
}

fn writes(namespace: &Namespace) -> Vec<Request> {
    let sent = requests::within(namespace.name).into_iter();
    sent.filter(|request| request.is_write() && !request.path.contains("/events")).collect()
}

/// Touches an object of nobody's that is labelled for the Registry, so that this is looked at, and waits until the second look has
/// begun: the first has ended then.
fn look_again(namespace: &Namespace) {
    let is_look = |request: &Request| request.method == "GET" && request.path.ends_with("/registries/hub");
    let looks = || requests::within(namespace.name).into_iter().filter(is_look).count();
    for _ in 0..2 {
        let before = looks();
        let object = format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: touch, labels: {{\
             app.kubernetes.io/managed-by: berth-operator, app.kubernetes.io/instance: hub}}}}, data: {{looks: '{before}'}}}}"
        );
        namespace.apply(&object).unwrap();
        wait::until("a look", PATIENCE, || {
            ensure!(looks() > before, "none yet");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_run_that_is_asked_for_is_done_once_and_told_with_its_numbers() {
    let namespace = serving("gc-now");
    namespace.ask("now").unwrap();
    namespace.wait_for_request("now");
    let jobs = namespace.jobs();
    assert_eq!(jobs, ["hub-gc-ed5eb9a37e"]);
    let job = namespace.get("job/hub-gc-ed5eb9a37e").unwrap();
    assert_eq!(job["metadata"]["ownerReferences"][0]["kind"], "Registry");
    assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 86400);

    namespace.end(&jobs[0], true, &report(false, 211_042_880).to_string());
    let gc = namespace.wait_for_gc("the run to be told", |gc| gc["lastRun"]["freedBytes"] == 211_042_880);
    let run = &gc["lastRun"];
    assert_eq!((&run["result"], &run["duration"]), (&json!("Succeeded"), &json!("4s")));
    assert_eq!(
        (&run["deletedBlobs"], &run["deletedManifests"], &run["deletedTags"]),
        (&json!(17), &json!(3), &json!(2))
    );
    assert_eq!(gc["lastSuccessTime"], run["completionTime"]);
    assert!(gc["nextScheduleTime"].is_string(), "{gc:#}");
    let condition = namespace.wait_for_reason("GarbageCollected", "Succeeded").unwrap();
    assert!(condition.message.contains("17 blobs with 201.2 MiB"), "{}", condition.message);
    let table = namespace.run(&["get", "registry", "--output=wide"]).unwrap();
    assert!(table.contains("211042880") && table.contains("NEXT-GC"), "{table}");

    // What was told stays when the Job is gone, and nothing is written any more.
    namespace.run(&["delete", &format!("job/{}", jobs[0])]).unwrap();
    wait_for_silence(
        || writes(&namespace),
        || {
            look_again(&namespace);
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(namespace.gc().unwrap(), gc);
    assert_eq!((created(&namespace), namespace.jobs().len()), (1, 0));

    namespace.ask("again").unwrap();
    namespace.wait_for_request("again");
    assert_eq!(created(&namespace), 2);
}

#[test]
fn an_operator_that_starts_does_not_repeat_a_run() {
    let namespace = serving("gc-restart");
    namespace.ask("now").unwrap();
    namespace.wait_for_request("now");
    namespace.run(&["delete", "jobs", "--all"]).unwrap();

    // A second operator knows as little as one that was restarted. It applies the CronJob last.
    let applied = || {
        requests::within(namespace.name)
            .iter()
            .filter(|r| r.is_write() && r.path.ends_with("/cronjobs/hub-gc"))
            .count()
    };
    let before = applied();
    start_operator(kubectl(), vec![namespace.name.to_owned()]);
    wait::until("the second operator to apply everything", PATIENCE, || {
        ensure!(applied() > before, "not yet");
        Ok(())
    })
    .unwrap();
    look_again(&namespace);
    assert_eq!((created(&namespace), namespace.jobs().len()), (1, 0));
}

#[test]
fn a_job_that_was_made_before_the_status_said_so_is_not_made_again() {
    let namespace = serving("gc-crash");
    namespace.ask("now").unwrap();
    namespace.wait_for_request("now");
    // As if the operator had died between the two.
    let forget = r#"--patch={"status": {"gc": {"lastRequest": null}}}"#;
    namespace.run(&["patch", "registry/hub", "--subresource=status", "--type=merge", forget]).unwrap();
    look_again(&namespace);
    namespace.wait_for_request("now");
    assert_eq!(namespace.jobs().len(), 1);
}

#[test]
fn a_dry_run_is_told_apart_and_decides_nothing() {
    let namespace = serving("gc-dry");
    namespace.ask("dry-run-1").unwrap();
    namespace.wait_for_request("dry-run-1");
    let jobs = namespace.jobs();
    let job = namespace.get(&format!("job/{}", jobs[0])).unwrap();
    let arguments = job["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(arguments.contains("\"--dry-run\""), "{arguments}");

    namespace.end(&jobs[0], true, &report(true, 5).to_string());
    let gc = namespace.wait_for_gc("the dry run to be told", |gc| gc["lastDryRun"]["freedBytes"] == 5);
    assert!(gc["lastRun"].is_null() && gc["lastSuccessTime"].is_null(), "{gc:#}");
    assert_eq!(namespace.condition("GarbageCollected").unwrap().reason, "NeverRun");
}

#[test]
fn a_job_made_by_hand_of_the_cron_job_is_told_with_the_reason_of_its_failure() {
    let namespace = serving("gc-hand");
    namespace.run(&["create", "job", "by-hand", "--from=cronjob/hub-gc"]).unwrap();
    let failed =
        json!({"state": "failed", "dryRun": false, "error": "the server answered 503 Service Unavailable"});
    namespace.end("by-hand", false, &failed.to_string());
    let condition = namespace.wait_for_reason("GarbageCollected", "Failed").unwrap();
    assert!(condition.message.contains("Job by-hand"), "{}", condition.message);
    assert!(
        condition.message.ends_with("the server answered 503 Service Unavailable"),
        "{}",
        condition.message
    );
    assert_eq!(namespace.gc().unwrap()["lastRun"]["result"], "Failed");
    assert_eq!(namespace.condition("Ready").unwrap().reason, "Ready");

    // The next one that succeeds makes it good.
    namespace.ask("repair").unwrap();
    namespace.wait_for_request("repair");
    let job = namespace.jobs().into_iter().find(|job| job != "by-hand").unwrap();
    namespace.end(&job, true, &report(false, 0).to_string());
    namespace.wait_for_reason("GarbageCollected", "Succeeded").unwrap();
}

#[test]
fn a_run_that_is_asked_for_while_the_registry_is_stopped_waits_and_says_so() {
    let namespace = Namespace::create("gc-stopped").unwrap();
    namespace.apply_registry("{replicas: 0, storage: {emptyDir: {}}}").unwrap();
    namespace.wait_for_reason("GarbageCollected", "Stopped").unwrap();
    namespace.ask("now").unwrap();
    wait::until("the wait to be told", PATIENCE, || {
        let message = namespace.condition("GarbageCollected")?.message;
        ensure!(message.contains("berth.dev/gc=\"now\" asks for waits: spec.replicas is 0"), "{message}");
        Ok(())
    })
    .unwrap();
    assert!(namespace.jobs().is_empty());

    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    serve(&namespace);
    namespace.wait_for_request("now");
    assert_eq!(created(&namespace), 1);
}
