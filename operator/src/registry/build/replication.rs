//! CronJob `NAME-copy-COPY` of each copy: it brings images from another registry or to it, and leaves its report in its termination message.
//!
//! They ask the registry as the user `admin`, over its own API, and mount no data.

use berth_crds::{Registry, replication::ReplicationCopy};
use serde_json::{Value, json};

use super::{
    Settings,
    cron_job::shared,
    deployment::{USER, container_security},
};
use crate::{
    apply::{Desired, Step},
    lag::{self, LONGEST_RUN},
    metadata::{COPY, REPLICATION},
    registry::{
        replication,
        validate::{Validated, pod_template::merge},
    },
};

const CA_DIRECTORY: &str = "/etc/berth/ca";
const ADMIN_DIRECTORY: &str = "/etc/berth/admin";
const OTHER_DIRECTORY: &str = "/etc/berth/other";

/// What should become of the CronJob of each copy that is asked for, or was.
pub fn copies(registry: &Registry, validated: &Validated, with_ca: bool, settings: &Settings) -> Vec<Step> {
    let asked_for = |name: &str| {
        let replication = validated.spec.replication.as_ref()?;
        replication.copies.iter().find(|copy| copy.name == name)
    };
    let step = |name: &str| {
        let desired = match asked_for(name) {
            Some(copy) => cron_job(validated, copy, with_ca, settings),
            None => Desired::Absent,
        };
        (replication::id(&validated.identity, name), desired)
    };
    replication::names(registry).into_iter().map(step).collect()
}

fn cron_job(
    validated: &Validated,
    copy: &ReplicationCopy,
    with_ca: bool,
    settings: &Settings,
) -> Desired<Value> {
    let (Some(replication), Some(Ok(_))) =
        (&validated.spec.replication, validated.replication.get(&copy.name))
    else {
        return Desired::Absent;
    };
    let Ok(over) = &validated.pod_template else {
        return Desired::AsIs;
    };
    let identity = &validated.identity;
    let mut pod = pod(validated, copy, with_ca, settings);
    merge(&mut pod, &shared(over));
    let mut labels = identity.pod_labels(REPLICATION);
    labels.insert(COPY.to_owned(), copy.name.clone());
    let labels = json!({"labels": labels});
    let mut spec = json!({
        "schedule": lag::schedule(replication, copy),
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
                "activeDeadlineSeconds": LONGEST_RUN.as_secs(),
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
        "metadata": identity.owned(replication::id(identity, &copy.name).name),
        "spec": spec,
    }))
}

fn pod(validated: &Validated, copy: &ReplicationCopy, with_ca: bool, settings: &Settings) -> Value {
    let identity = &validated.identity;
    let mut volumes = vec![json!({"name": "admin", "secret": {
        "secretName": identity.child("admin"),
        "items": [{"key": "password", "path": "password"}],
    }})];
    if with_ca {
        volumes.push(json!({"name": "ca", "configMap": {"name": identity.child("ca")}}));
    }
    volumes.extend(other(copy).map(|other| other.volume));
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
        "containers": [container(validated, copy, with_ca, settings)],
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
    (!sources.is_empty()).then(|| Other {
        volume: json!({"name": "other", "projected": {"sources": sources}}),
        mount: json!({"name": "other", "mountPath": OTHER_DIRECTORY, "readOnly": true}),
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
    for pattern in &copy.tags {
        option("--tag".to_owned(), pattern);
    }
    option("--termination-log".to_owned(), "/dev/termination-log");
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{registry, settings};

    /// The names of the `CronJobs`, and their specs.
    fn built(spec: &str) -> Vec<(String, Value)> {
        let registry = registry(spec);
        let steps = copies(&registry, &Validated::of(&registry), true, &settings());
        let present = steps.into_iter().filter_map(|(id, desired)| match desired {
            Desired::Present(cron_job) => Some((id.name, cron_job["spec"].clone())),
            _ => None,
        });
        present.collect()
    }

    fn container_of(cron_job: &Value) -> &Value {
        &cron_job["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    }

    const BOTH: &str = "{replication: {schedule: '@daily', timeZone: Europe/Berlin, copies: [
        {name: upstream, from: 'https://docker.io', repositories: [library/alpine], tags: ['3.*'], prefix: mirror, secretName: hub-login},
        {name: backup, schedule: '*/5 * * * *', to: 'https://backup.default.svc', secretName: backup-admin, caConfigMapName: backup-ca},
    ]}}";

    #[test]
    fn each_copy_runs_by_itself_with_what_opens_both_registries() {
        let built = built(BOTH);
        let [(backup, to), (upstream, from)] = &built[..] else { panic!("{built:?}") };
        assert_eq!([backup.as_str(), upstream], ["hub-copy-backup", "hub-copy-upstream"]);
        assert_eq!(container_of(from)["name"], "upstream");
        assert_eq!(
            container_of(from)["args"],
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
                "--tag",
                "3.*",
                "--termination-log",
                "/dev/termination-log",
            ])
        );
        assert_eq!(
            container_of(to)["args"],
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
    }

    #[test]
    fn a_copy_may_have_a_schedule_of_its_own() {
        let schedules: Vec<Value> =
            built(BOTH).into_iter().map(|(_, spec)| spec["schedule"].clone()).collect();
        assert_eq!(schedules, ["*/5 * * * *", "@daily"]);
        assert_eq!(built(BOTH)[0].1["timeZone"], "Europe/Berlin");
    }

    #[test]
    fn a_wrong_schedule_keeps_only_its_own_copy_from_being_made() {
        let spec = "{replication: {copies: [
            {name: a, from: 'https://a', schedule: often}, {name: b, from: 'https://b'}]}}";
        assert_eq!(built(spec).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["hub-copy-b"]);
        assert!(built("{}").is_empty());
    }

    #[test]
    fn a_copy_that_is_asked_for_no_longer_leaves_nothing_behind() {
        let mut registry = registry("{}");
        let before =
            json!({"replication": {"copies": [{"name": "a", "currentAsOf": "2026-03-01T03:00:00Z"}]}});
        registry.status = serde_json::from_value(before).unwrap();
        let steps = copies(&registry, &Validated::of(&registry), true, &settings());
        let expected = replication::id(&Validated::of(&registry).identity, "a");
        assert_eq!(steps, [(expected, Desired::Absent)]);
    }

    #[test]
    fn a_registry_without_replicas_is_not_asked() {
        let stopped = "{replicas: 0, replication: {copies: [{name: a, from: 'https://a'}]}}";
        assert_eq!(built(stopped)[0].1["suspend"], true);
        assert_eq!(built(BOTH)[0].1["suspend"], false);
    }
}
