//! CronJob `NAME-replication`: copies images from other registries and to them. Each copy is a container of its pod, and leaves
//! its report in its termination message.
//!
//! It asks the registry as the user `admin`, over its own API, and mounts no data.

use berth_crds::replication::ReplicationCopy;
use serde_json::{Value, json};

use super::{
    Settings,
    cron_job::shared,
    deployment::{USER, container_security},
};
use crate::{
    apply::Desired,
    metadata::REPLICATION,
    registry::validate::{Validated, pod_template::merge},
};

const CA_DIRECTORY: &str = "/etc/berth/ca";
const ADMIN_DIRECTORY: &str = "/etc/berth/admin";
const OTHER_DIRECTORY: &str = "/etc/berth/other";

pub(super) fn cron_job(validated: &Validated, ca: Option<&str>, settings: &Settings) -> Desired<Value> {
    let (Some(replication), Some(Ok(_))) = (&validated.spec.replication, &validated.replication) else {
        return Desired::Absent;
    };
    let Ok(over) = &validated.pod_template else {
        return Desired::AsIs;
    };
    let identity = &validated.identity;
    let mut pod = pod(validated, &replication.copies, ca.is_some(), settings);
    merge(&mut pod, &shared(over));
    let labels = json!({"labels": identity.pod_labels(REPLICATION)});
    let mut spec = json!({
        "schedule": replication.schedule,
        // A registry without replicas cannot be asked.
        "suspend": replication.suspend || validated.spec.replicas == 0,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "metadata": labels,
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": 24 * 3600,
                "template": {"metadata": labels, "spec": pod},
            },
        },
    });
    if let Some(time_zone) = &replication.time_zone {
        spec["timeZone"] = json!(time_zone);
    }
    Desired::Present(json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": identity.owned(identity.child("replication")),
        "spec": spec,
    }))
}

fn pod(validated: &Validated, copies: &[ReplicationCopy], with_ca: bool, settings: &Settings) -> Value {
    let identity = &validated.identity;
    let mut volumes = vec![json!({"name": "admin", "secret": {
        "secretName": identity.child("admin"),
        "items": [{"key": "password", "path": "password"}],
    }})];
    if with_ca {
        volumes.push(json!({"name": "ca", "configMap": {"name": identity.child("ca")}}));
    }
    volumes.extend(copies.iter().filter_map(|copy| other(copy).map(|other| other.volume)));
    let containers: Vec<Value> =
        copies.iter().map(|copy| container(validated, copy, with_ca, settings)).collect();
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
        "containers": containers,
        "volumes": volumes,
    })
}

fn container(validated: &Validated, copy: &ReplicationCopy, with_ca: bool, settings: &Settings) -> Value {
    let mut mounts = vec![json!({"name": "admin", "mountPath": ADMIN_DIRECTORY, "readOnly": true})];
    if with_ca {
        mounts.push(json!({"name": "ca", "mountPath": CA_DIRECTORY, "readOnly": true}));
    }
    mounts.extend(other(copy).map(|other| other.mount));
    json!({
        "name": copy.name,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": arguments(validated, copy, with_ca),
        // The report; where there is none because the program could not begin, the end of its log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": mounts,
    })
}

/// What opens the other registry, in one volume.
struct Other {
    volume: Value,
    mount: Value,
}

fn other(copy: &ReplicationCopy) -> Option<Other> {
    let secret = copy.secret_name.as_ref().map(|name| {
        json!({"secret": {"name": name, "items": [{"key": ".dockerconfigjson", "path": "config.json"}]}})
    });
    let authorities = copy
        .ca_config_map_name
        .as_ref()
        .map(|name| json!({"configMap": {"name": name, "items": [{"key": "ca.crt", "path": "ca.crt"}]}}));
    let sources: Vec<Value> = secret.into_iter().chain(authorities).collect();
    let name = format!("other-{}", copy.name);
    (!sources.is_empty()).then(|| Other {
        volume: json!({"name": name, "projected": {"sources": sources}}),
        mount: json!({"name": name, "mountPath": OTHER_DIRECTORY, "readOnly": true}),
    })
}

fn arguments(validated: &Validated, copy: &ReplicationCopy, with_ca: bool) -> Vec<String> {
    let scheme = if validated.spec.tls.disabled { "http" } else { "https" };
    let own = format!("{scheme}://{}", validated.service_host);
    let prefixed = |url: &str| match &copy.prefix {
        Some(prefix) => format!("{url}/{prefix}"),
        None => url.to_owned(),
    };
    // The schema lets exactly one of them be set.
    let ([source, destination], ours, theirs) = match (&copy.from, &copy.to) {
        (Some(from), _) => ([from.clone(), prefixed(&own)], "dest", "src"),
        (None, to) => ([own, prefixed(to.as_deref().unwrap_or_default())], "src", "dest"),
    };
    let mut arguments = vec!["copy".to_owned(), source, destination];
    let mut option = |name: String, value: &str| arguments.extend([name, value.to_owned()]);
    option(format!("--{ours}-username"), "admin");
    option(format!("--{ours}-password-file"), &format!("{ADMIN_DIRECTORY}/password"));
    if with_ca {
        option(format!("--{ours}-ca-file"), &format!("{CA_DIRECTORY}/ca.crt"));
    }
    if validated.spec.host.is_some() && !validated.spec.tls.disabled {
        // A certificate of the user need not be for the name of the Service.
        option(format!("--{ours}-server-name"), validated.dns_name());
    }
    if copy.secret_name.is_some() {
        option("--authfile".to_owned(), &format!("{OTHER_DIRECTORY}/config.json"));
    }
    if copy.ca_config_map_name.is_some() {
        option(format!("--{theirs}-ca-file"), &format!("{OTHER_DIRECTORY}/ca.crt"));
    }
    for pattern in &copy.repositories {
        option("--repository".to_owned(), pattern);
    }
    option("--termination-log".to_owned(), "/dev/termination-log");
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{settings, validated};

    fn built(spec: &str) -> Value {
        match cron_job(&validated(spec), Some("CA"), &settings()) {
            Desired::Present(cron_job) => cron_job["spec"].clone(),
            other => panic!("{other:?}"),
        }
    }

    fn pod_of(cron_job: &Value) -> &Value {
        &cron_job["jobTemplate"]["spec"]["template"]["spec"]
    }

    const BOTH: &str = "{replication: {schedule: '@daily', copies: [
        {name: upstream, from: 'https://docker.io', repositories: [library/alpine], prefix: mirror, secretName: hub-login},
        {name: backup, to: 'https://backup.default.svc', secretName: backup-admin, caConfigMapName: backup-ca},
    ]}}";

    #[test]
    fn each_copy_is_a_container_with_what_opens_both_registries() {
        let cron_job = built(BOTH);
        assert_eq!(cron_job["schedule"], "@daily");
        let pod = pod_of(&cron_job);
        let container = |at: usize| &pod["containers"][at];
        assert_eq!([&container(0)["name"], &container(1)["name"]], ["upstream", "backup"]);
        assert_eq!(
            container(0)["args"],
            json!([
                "copy",
                "https://docker.io",
                "https://hub.default.svc/mirror",
                "--dest-username",
                "admin",
                "--dest-password-file",
                "/etc/berth/admin/password",
                "--dest-ca-file",
                "/etc/berth/ca/ca.crt",
                "--authfile",
                "/etc/berth/other/config.json",
                "--repository",
                "library/alpine",
                "--termination-log",
                "/dev/termination-log",
            ])
        );
        assert_eq!(
            container(1)["args"],
            json!([
                "copy",
                "https://hub.default.svc",
                "https://backup.default.svc",
                "--src-username",
                "admin",
                "--src-password-file",
                "/etc/berth/admin/password",
                "--src-ca-file",
                "/etc/berth/ca/ca.crt",
                "--authfile",
                "/etc/berth/other/config.json",
                "--dest-ca-file",
                "/etc/berth/other/ca.crt",
                "--termination-log",
                "/dev/termination-log",
            ])
        );
        let names: Vec<_> = pod["volumes"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert_eq!(names, ["admin", "ca", "other-upstream", "other-backup"]);
        // Neither container sees what opens the other's registry.
        assert_eq!(container(0)["volumeMounts"][2]["name"], "other-upstream");
    }

    #[test]
    fn without_a_use_there_is_no_cron_job() {
        assert_eq!(cron_job(&validated("{}"), None, &settings()), Desired::Absent);
        let wrong = "{replication: {schedule: often, copies: [{name: a, from: 'https://a'}]}}";
        assert_eq!(cron_job(&validated(wrong), None, &settings()), Desired::Absent);
    }

    #[test]
    fn a_registry_without_replicas_is_not_asked() {
        let stopped = "{replicas: 0, replication: {copies: [{name: a, from: 'https://a'}]}}";
        assert_eq!(built(stopped)["suspend"], true);
        assert_eq!(built(BOTH)["suspend"], false);
    }
}
