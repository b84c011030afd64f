//! Copies from other registries and to them. The controllers of the cluster make the pods; the test plays the node that runs them.

use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::fixture::{Namespace, PATIENCE};

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

/// Starts a run by hand, and plays the node on which its containers end.
fn run(namespace: &Namespace, job: &str, phase: &str, containers: &[Value]) {
    namespace.run(&["create", "job", job, "--from=cronjob/hub-replication"]).unwrap();
    let selector = format!("batch.kubernetes.io/job-name={job}");
    let pod =
        wait::until("the pod of the Job", PATIENCE, || namespace.first_pod(&selector, |_| true)).unwrap();
    namespace.set_status(&pod, &json!({"phase": phase, "containerStatuses": containers})).unwrap();
}

#[test]
fn copies_are_made_by_a_cron_job_and_told_one_by_one() {
    let namespace = Namespace::create("replication").unwrap();
    let spec = "{storage: {emptyDir: {}}, replication: {schedule: '@daily', copies: [
        {name: upstream, from: 'https://upstream.example.com', repositories: ['team/**'], secretName: login},
        {name: backup, to: 'https://backup.example.com'},
    ]}}";
    namespace.apply_registry(spec).unwrap();
    let condition = namespace.wait_for_reason("Replicated", "NeverRun").unwrap();
    assert!(condition.message.contains("@daily"), "{}", condition.message);
    let cron_job = namespace.get("cronjob/hub-replication").unwrap();
    let containers = &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[1]["args"][2], "https://backup.example.com", "{containers:#}");

    let good = json!({"images": 3, "copied": 2, "unchanged": 1, "bytes": 42, "failed": 0});
    let bad = json!({"images": 1, "copied": 0, "unchanged": 0, "failed": 1, "error": "app:1: no such host"});
    run(&namespace, "first", "Failed", &[ended("upstream", 0, &good), ended("backup", 1, &bad)]);
    let condition = namespace.wait_for_reason("Replicated", "Failed").unwrap();
    assert!(condition.message.contains("\"backup\"") && condition.message.ends_with("app:1: no such host"));
    let copies = &namespace.get("registry/hub").unwrap()["status"]["replication"]["copies"];
    assert_eq!([&copies[0]["copied"], &copies[0]["sentBytes"]], [2, 42], "{copies:#}");
    assert_eq!(copies[1]["result"], "Failed", "{copies:#}");

    // What is no longer asked for leaves nothing behind.
    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    wait::until("the CronJob to go", PATIENCE, || {
        anyhow::ensure!(namespace.get("cronjob/hub-replication").is_err(), "it is still there");
        Ok(())
    })
    .unwrap();
    assert!(namespace.condition("Replicated").is_err());
}
