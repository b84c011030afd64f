//! CronJob `NAME-gc`: asks the registry over its own API to collect garbage. It mounts no data, so it runs beside a
//! volume that only one pod can mount.

use serde_json::{Map, Value, json};

use super::{
    Settings, collector,
    deployment::{USER, container_security},
};
use crate::{
    apply::Desired,
    metadata::GARBAGE_COLLECTION,
    registry::validate::{Validated, pod_template::merge},
};

const CA_DIRECTORY: &str = "/etc/berth/ca";

/// What the pods of the garbage collection share with those of the registry: they run the same image, so they need
/// the same nodes and credentials for it.
const SHARED_WITH_REGISTRY: [&str; 5] =
    ["nodeSelector", "tolerations", "affinity", "imagePullSecrets", "priorityClassName"];

pub(super) fn cron_job(validated: &Validated, ca: Option<&str>, settings: &Settings) -> Desired<Value> {
    if validated.schedule.is_err() {
        return Desired::Absent;
    }
    let Ok(over) = &validated.pod_template else {
        return Desired::AsIs;
    };
    let identity = &validated.identity;
    let gc = &validated.spec.gc;
    let mut pod = pod(validated, ca.is_some(), settings);
    merge(&mut pod, &shared(over));
    let mut spec = json!({
        "schedule": gc.schedule,
        // A registry without replicas cannot be asked.
        "suspend": gc.suspend || validated.spec.replicas == 0,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "metadata": {"labels": identity.pod_labels(GARBAGE_COLLECTION)},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": 6 * 3600,
                "template": {
                    "metadata": {"labels": identity.pod_labels(GARBAGE_COLLECTION)},
                    "spec": pod,
                },
            },
        },
    });
    if let Some(time_zone) = &gc.time_zone {
        spec["timeZone"] = json!(time_zone);
    }
    Desired::Present(json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": identity.owned(identity.child("gc")),
        "spec": spec,
    }))
}

pub(super) fn shared(template: &Map<String, Value>) -> Map<String, Value> {
    let pod = template.get("spec").and_then(Value::as_object);
    let of_both = |(key, _): &(&String, &Value)| SHARED_WITH_REGISTRY.contains(&key.as_str());
    pod.into_iter().flatten().filter(of_both).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn pod(validated: &Validated, with_ca: bool, settings: &Settings) -> Value {
    let identity = &validated.identity;
    let login = collector::login(validated);
    let arguments = [arguments(validated, with_ca), login.arguments].concat();
    let (mut volumes, mut mounts): (Vec<Value>, Vec<Value>) = login.volume.into_iter().unzip();
    if with_ca {
        mounts.push(json!({"name": "ca", "mountPath": CA_DIRECTORY, "readOnly": true}));
        volumes.push(json!({"name": "ca", "configMap": {"name": identity.child("ca")}}));
    }
    json!({
        "restartPolicy": "Never",
        "serviceAccountName": identity.child("gc"),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": GARBAGE_COLLECTION,
            "image": settings.image,
            "imagePullPolicy": settings.image_pull_policy,
            "args": arguments,
            "env": login.environment,
            // The report; where there is none because the program could not begin, the end of its log.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": container_security(),
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            "volumeMounts": mounts,
        }],
        "volumes": volumes,
    })
}

fn arguments(validated: &Validated, with_ca: bool) -> Vec<String> {
    let gc = &validated.spec.gc;
    let scheme = if validated.spec.tls.disabled { "http" } else { "https" };
    let server = format!("{scheme}://{}", validated.service_host);
    let mut arguments = vec!["garbage-collect", "--server", &server, "--wait", "--min-age", &gc.min_age];
    if gc.untagged {
        arguments.push("--delete-untagged");
    }
    let ca_file = format!("{CA_DIRECTORY}/ca.crt");
    if with_ca {
        arguments.extend(["--ca-file", &ca_file]);
    }
    if validated.spec.host.is_some() && !validated.spec.tls.disabled {
        // A certificate of the user need not be for the name of the Service.
        arguments.extend(["--server-name", validated.dns_name()]);
    }
    arguments.extend(["--termination-log", "/dev/termination-log"]);
    arguments.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{settings, validated, with_token_issuer};

    fn built(spec: &str, ca: Option<&str>) -> Value {
        match cron_job(&validated(spec), ca, &settings()) {
            Desired::Present(cron_job) => cron_job["spec"].clone(),
            other => panic!("{other:?}"),
        }
    }

    fn pod_of(cron_job: &Value) -> &Value {
        &cron_job["jobTemplate"]["spec"]["template"]["spec"]
    }

    #[test]
    fn it_asks_the_registry_over_tls() {
        let cron_job = built("{}", Some("CA"));
        let pod = pod_of(&cron_job);
        assert_eq!(
            pod["containers"][0]["args"],
            json!([
                "garbage-collect",
                "--server",
                "https://hub.default.svc",
                "--wait",
                "--min-age",
                "24h",
                "--delete-untagged",
                "--ca-file",
                "/etc/berth/ca/ca.crt",
                "--termination-log",
                "/dev/termination-log",
            ])
        );
        assert_eq!(pod["volumes"], json!([{"name": "ca", "configMap": {"name": "hub-ca"}}]));
        assert_eq!(pod["containers"][0]["env"][1]["name"], "REGISTRY_GC_PASSWORD");
        assert_eq!(pod["serviceAccountName"], "hub-gc");
    }

    #[test]
    fn with_a_token_it_has_no_password() {
        let Desired::Present(cron_job) = cron_job(&with_token_issuer("{}"), Some("CA"), &settings()) else {
            panic!()
        };
        let pod = pod_of(&cron_job["spec"]);
        let container = &pod["containers"][0];
        assert_eq!(container["env"], json!([]));
        let arguments: Vec<&str> =
            container["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(arguments.ends_with(&["--password-file", "/var/run/secrets/berth/token"]), "{arguments:?}");
        let names =
            |list: &Value| list.as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&pod["volumes"]), ["token", "ca"]);
        assert_eq!(names(&container["volumeMounts"]), ["token", "ca"]);
    }

    #[test]
    fn a_registry_with_a_public_name_is_asked_inside_the_cluster() {
        let cron_job = built("{host: 'hub.example.com:8443'}", Some("CA"));
        let arguments = pod_of(&cron_job)["containers"][0]["args"].as_array().unwrap();
        let after = |option: &str| {
            let at = arguments.iter().position(|argument| argument == option).unwrap();
            arguments[at + 1].as_str().unwrap()
        };
        assert_eq!(after("--server"), "https://hub.default.svc");
        assert_eq!(after("--server-name"), "hub.example.com");
    }

    #[test]
    fn the_spec_shows_in_the_schedule() {
        let cron_job = built(
            "{gc: {schedule: '@weekly', timeZone: Europe/Berlin, suspend: true, untagged: false, minAge: 2h}}",
            None,
        );
        assert_eq!(cron_job["schedule"], "@weekly");
        assert_eq!(cron_job["timeZone"], "Europe/Berlin");
        assert_eq!(cron_job["suspend"], true);
        assert_eq!(
            pod_of(&cron_job)["containers"][0]["args"],
            json!([
                "garbage-collect",
                "--server",
                "https://hub.default.svc",
                "--wait",
                "--min-age",
                "2h",
                "--termination-log",
                "/dev/termination-log",
            ])
        );
    }

    #[test]
    fn it_runs_where_the_registry_may_run() {
        let cron_job = built(
            "{podTemplate: {spec: {nodeSelector: {a: b}, imagePullSecrets: [{name: mirror}], initContainers: [{name: x}]}}}",
            None,
        );
        assert_eq!(pod_of(&cron_job)["nodeSelector"], json!({"a": "b"}));
        assert_eq!(pod_of(&cron_job)["imagePullSecrets"], json!([{"name": "mirror"}]));
        assert!(pod_of(&cron_job).get("initContainers").is_none());
    }

    #[test]
    fn a_schedule_that_cannot_be_used_gives_no_cron_job() {
        assert_eq!(cron_job(&validated("{gc: {schedule: nightly}}"), None, &settings()), Desired::Absent);
    }
}
