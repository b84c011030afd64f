//! Copies from other registries and to them. The controllers of the cluster make the pods; the test plays the node that runs them.

use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::{
    fixture::{Namespace, PATIENCE},
    garbage_collection::serve,
};

/// How a container of a copy ended.
fn ended(name: &str, code: i32, report: &Value) -> Value {
    json!({
        "name": name, "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
        "state": {"terminated": {
            "exitCode": code, "message": report.to_string(),
            "startedAt": "2026-03-01T03:00:00Z", "finishedAt": "2026-03-01T03:00:04Z",
        }},
    })
}

/// Plays the node on which the container of a Job ends.
fn end(namespace: &Namespace, job: &str, copy: &str, code: i32, report: &Value) {
    let selector = format!("batch.kubernetes.io/job-name={job}");
    let pod =
        wait::until("the pod of the Job", PATIENCE, || namespace.first_pod(&selector, |_| true)).unwrap();
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    let status = json!({"phase": phase, "containerStatuses": [ended(copy, code, report)]});
    namespace.set_status(&pod, &status).unwrap();
}

/// Makes a copy by hand, as its schedule would.
fn run(namespace: &Namespace, copy: &str, code: i32, report: &Value) {
    let (job, cron_job) = (format!("{copy}-by-hand"), format!("--from=cronjob/hub-copy-{copy}"));
    namespace.run(&["create", "job", &job, &cron_job]).unwrap();
    end(namespace, &job, copy, code, report);
}

fn replication(namespace: &Namespace) -> Value {
    namespace.get("registry/hub").unwrap()["status"]["replication"].clone()
}

fn good() -> Value {
    json!({"images": 3, "copied": 2, "unchanged": 1, "bytes": 42, "failed": 0})
}

const SPEC: &str = "{storage: {emptyDir: {}}, replication: {schedule: '@daily', copies: [
    {name: upstream, from: 'https://upstream.example.com', repositories: ['team/**'], secretName: login},
    {name: backup, schedule: '@weekly', to: 'https://backup.example.com'},
]}}";

#[test]
fn each_copy_is_made_by_a_cron_job_of_its_own_and_told_by_itself() {
    let namespace = Namespace::create("replication").unwrap();
    namespace.apply_registry(SPEC).unwrap();
    let condition = namespace.wait_for_reason("Replicated", "NeverRun").unwrap();
    assert!(condition.message.contains("@daily"), "{}", condition.message);
    let cron_job = namespace.get("cronjob/hub-copy-backup").unwrap();
    let containers = &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["args"][2], "https://backup.example.com", "{containers:#}");
    assert_eq!(cron_job["spec"]["schedule"], "@weekly");

    let bad = json!({"images": 1, "copied": 0, "unchanged": 0, "failed": 1, "error": "app:1: no such host"});
    run(&namespace, "upstream", 0, &good());
    run(&namespace, "backup", 1, &bad);
    wait::until("both copies to be told", PATIENCE, || {
        let copies = &replication(&namespace)["copies"];
        anyhow::ensure!(copies[0]["copied"] == 2 && copies[1]["result"] == "Failed", "{copies:#}");
        Ok(())
    })
    .unwrap();
    let condition = namespace.condition("Replicated").unwrap();
    assert!(
        condition.message.contains("\"backup\" of 1 images failed: app:1: no such host"),
        "{}",
        condition.message
    );
    let copies = &replication(&namespace)["copies"];
    assert_eq!((&copies[0]["sentBytes"], &copies[0]["lag"]), (&json!(42), &json!("4s")), "{copies:#}");
    assert_eq!(copies[0]["currentAsOf"], "2026-03-01T03:00:00Z");

    // What is no longer asked for leaves nothing behind.
    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    wait::until("the CronJobs to go", PATIENCE, || {
        let left = namespace.run(&["get", "cronjobs", "--output=name"])?;
        anyhow::ensure!(left.trim() == "cronjob.batch/hub-gc", "{left}");
        Ok(())
    })
    .unwrap();
    assert!(namespace.condition("Replicated").is_err());
}

#[test]
fn an_annotation_makes_every_copy_once_when_a_replica_serves() {
    let namespace = Namespace::create("replicate-now").unwrap();
    namespace.apply_registry(SPEC).unwrap();
    namespace.run(&["annotate", "registry/hub", "berth.dev/replicate=now"]).unwrap();
    wait::until("the request to wait", PATIENCE, || {
        let message = namespace.condition("Replicated")?.message;
        anyhow::ensure!(message.ends_with("asks for wait: no replica serves"), "{message}");
        Ok(())
    })
    .unwrap();
    serve(&namespace);
    wait::until("the copies to be made", PATIENCE, || {
        let replication = replication(&namespace);
        anyhow::ensure!(replication["lastRequest"] == "now", "{replication:#}");
        Ok(())
    })
    .unwrap();
    for copy in ["backup", "upstream"] {
        let job = format!("hub-copy-{copy}-ed5eb9a37e");
        end(&namespace, &job, copy, 0, &good());
    }
    wait::until("both copies to be told", PATIENCE, || {
        let replication = replication(&namespace);
        anyhow::ensure!(replication["lastSuccessTime"] == "2026-03-01T03:00:04Z", "{replication:#}");
        Ok(())
    })
    .unwrap();
    let condition = namespace.wait_for_reason("Replicated", "Lagging").unwrap();
    // The runs that the test plays ended long ago.
    assert!(
        condition.message.contains("lags: what came after 2026-03-01T03:00:00Z is missing"),
        "{}",
        condition.message
    );
}
