//! Deployment `NAME`: the pods that serve.

use berth_crds::{
    resources::{ResourceQuantity, Resources},
    storage::AccessMode,
};
use serde_json::{Map, Value, json};

use super::{
    Settings,
    config_map::{AUTH_DIRECTORY, CONFIG_DIRECTORY, DATA_DIRECTORY, PORT, TLS_DIRECTORY},
};
use crate::{
    apply::Desired,
    digest::sha256_hex,
    metadata::SERVER,
    registry::validate::{Validated, pod_template::merge},
};

/// The user and group of the registry image.
pub(super) const USER: u32 = 65532;

/// A hash of what the registry reads only when it starts. Users, rights and certificates are not in it: those it
/// reads again by itself.
const RESTART_HASH: &str = "berth.dev/restart-hash";

pub(super) fn deployment(validated: &Validated, config: &str, settings: &Settings) -> Desired<Value> {
    let Ok(over) = &validated.pod_template else {
        return Desired::AsIs;
    };
    let identity = &validated.identity;
    let mut template = pod_template(validated, config, settings);
    merge(&mut template, over);
    Desired::Present(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": identity.owned(identity.name.clone()),
        "spec": {
            "replicas": validated.spec.replicas,
            "selector": {"matchLabels": identity.selector()},
            "strategy": strategy(validated),
            "template": template,
        },
    }))
}

/// A volume that only one pod can mount must be let go of before the next pod can start.
fn strategy(validated: &Validated) -> Value {
    let storage = &validated.spec.storage;
    let shared = match (&storage.pvc, &storage.claim_name) {
        (Some(claim), _) => claim.access_mode == AccessMode::ReadWriteMany,
        (None, claim_name) => claim_name.is_some(),
    };
    if shared {
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
    } else {
        json!({"type": "Recreate"})
    }
}

fn pod_template(validated: &Validated, config: &str, settings: &Settings) -> Value {
    let identity = &validated.identity;
    json!({
        "metadata": {
            "labels": identity.pod_labels(SERVER),
            "annotations": {RESTART_HASH: restart_hash(config)},
        },
        "spec": {
            "serviceAccountName": identity.name,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            // Long enough for a push of a large layer to finish.
            "terminationGracePeriodSeconds": 300,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                // A walk through all blobs at each start would take minutes.
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container(validated, settings)],
            "volumes": volumes(validated),
        },
    })
}

fn container(validated: &Validated, settings: &Settings) -> Value {
    let mut mounts = vec![
        json!({"name": "data", "mountPath": DATA_DIRECTORY}),
        json!({"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": true}),
        json!({"name": "auth", "mountPath": AUTH_DIRECTORY, "readOnly": true}),
    ];
    if !validated.spec.tls.disabled {
        mounts.push(json!({"name": "tls", "mountPath": TLS_DIRECTORY, "readOnly": true}));
    }
    json!({
        "name": SERVER,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": ["serve", format!("{CONFIG_DIRECTORY}/config.yml")],
        "ports": [{"name": SERVER, "containerPort": PORT, "protocol": "TCP"}],
        "securityContext": container_security(),
        "resources": resources(&validated.spec.resources),
        // Five minutes to open a large file system; then liveness takes over, which never looks at the storage.
        "startupProbe": probe(validated, "/readyz", 2, 150),
        "readinessProbe": probe(validated, "/readyz", 5, 3),
        "livenessProbe": probe(validated, "/livez", 10, 6),
        "volumeMounts": mounts,
    })
}

/// What the restricted Pod Security Standard asks for, and a root file system that cannot be written.
pub(super) fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

fn probe(validated: &Validated, path: &str, period_seconds: u32, failure_threshold: u32) -> Value {
    let scheme = if validated.spec.tls.disabled { "HTTP" } else { "HTTPS" };
    json!({
        "httpGet": {"path": path, "port": SERVER, "scheme": scheme},
        "periodSeconds": period_seconds,
        "failureThreshold": failure_threshold,
        "timeoutSeconds": 5,
    })
}

fn volumes(validated: &Validated) -> Vec<Value> {
    let identity = &validated.identity;
    let data = match &validated.storage.claim_name {
        Some(claim) => json!({"name": "data", "persistentVolumeClaim": {"claimName": claim}}),
        None => json!({"name": "data", "emptyDir": empty_dir(validated)}),
    };
    let mut volumes = vec![
        data,
        json!({"name": "config", "configMap": {"name": identity.child("config")}}),
        json!({"name": "auth", "secret": {"secretName": identity.child("auth"), "defaultMode": 0o440}}),
    ];
    if !validated.spec.tls.disabled {
        volumes.push(
            json!({"name": "tls", "secret": {"secretName": identity.child("tls"), "defaultMode": 0o440}}),
        );
    }
    volumes
}

fn empty_dir(validated: &Validated) -> Value {
    let limit = validated.spec.storage.empty_dir.as_ref().and_then(|volume| volume.size_limit.as_ref());
    limit.map_or_else(|| json!({}), |limit| json!({"sizeLimit": limit}))
}

/// The operator's defaults, each of which the spec may replace.
fn resources(wanted: &Resources) -> Value {
    let mut requests =
        Map::from_iter([("cpu".to_owned(), json!("50m")), ("memory".to_owned(), json!("64Mi"))]);
    let mut limits = Map::from_iter([("memory".to_owned(), json!("256Mi"))]);
    // A request above the default limit would be refused.
    if wanted.requests.contains_key("memory") && !wanted.limits.contains_key("memory") {
        limits.remove("memory");
    }
    let text = |(name, amount): (&String, &ResourceQuantity)| (name.clone(), json!(amount.to_string()));
    requests.extend(wanted.requests.iter().map(text));
    limits.extend(wanted.limits.iter().map(text));
    json!({"requests": requests, "limits": limits})
}

fn restart_hash(config: &str) -> String {
    sha256_hex(config.as_bytes()).chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{settings, validated},
        registry::build::config_map::config_file,
    };

    fn built(spec: &str) -> Value {
        let validated = validated(spec);
        match deployment(&validated, &config_file(&validated), &settings()) {
            Desired::Present(deployment) => deployment,
            other => panic!("{other:?}"),
        }
    }

    fn pod(spec: &str) -> Value {
        built(spec)["spec"]["template"]["spec"].clone()
    }

    #[test]
    fn the_pod_meets_the_restricted_pod_security_standard() {
        let pod = pod("{}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
        assert_eq!(
            pod["containers"][0]["securityContext"],
            json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
        );
        assert_eq!(pod["automountServiceAccountToken"], false);
    }

    #[test]
    fn a_volume_for_one_pod_is_let_go_of_before_the_next_pod_starts() {
        assert_eq!(built("{}")["spec"]["strategy"], json!({"type": "Recreate"}));
        assert_eq!(built("{storage: {emptyDir: {}}}")["spec"]["strategy"], json!({"type": "Recreate"}));
    }

    #[test]
    fn replicas_on_a_shared_volume_are_replaced_one_by_one() {
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
        assert_eq!(built("{storage: {pvc: {accessMode: ReadWriteMany}}}")["spec"]["strategy"], rolling);
        assert_eq!(built("{storage: {claimName: images}}")["spec"]["strategy"], rolling);
    }

    #[test]
    fn the_volume_is_the_one_of_the_spec() {
        let data = |spec: &str| pod(spec)["volumes"][0].clone();
        assert_eq!(data("{}"), json!({"name": "data", "persistentVolumeClaim": {"claimName": "hub"}}));
        assert_eq!(data("{storage: {claimName: images}}")["persistentVolumeClaim"]["claimName"], "images");
        assert_eq!(data("{storage: {emptyDir: {sizeLimit: 1Gi}}}")["emptyDir"], json!({"sizeLimit": "1Gi"}));
    }

    #[test]
    fn plain_http_needs_no_certificate() {
        let pod = pod("{tls: {disabled: true}}");
        assert_eq!(pod["containers"][0]["livenessProbe"]["httpGet"]["scheme"], "HTTP");
        assert!(!pod.to_string().contains("hub-tls"));
    }

    #[test]
    fn only_what_is_read_at_the_start_restarts_the_pods() {
        let hash =
            |spec: &str| built(spec)["spec"]["template"]["metadata"]["annotations"][RESTART_HASH].clone();
        assert_ne!(hash("{}"), hash("{logLevel: debug}"));
        assert_eq!(hash("{}"), hash("{tls: {sans: [hub.example]}, gc: {schedule: '0 4 * * *'}}"));
    }

    #[test]
    fn resources_replace_the_defaults_one_by_one() {
        let resources = |spec: &str| pod(spec)["containers"][0]["resources"].clone();
        assert_eq!(
            resources("{}"),
            json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}})
        );
        assert_eq!(
            resources("{resources: {requests: {cpu: 1, memory: 8589934592}}}"),
            json!({"requests": {"cpu": "1", "memory": "8589934592"}, "limits": {}})
        );
    }

    #[test]
    fn the_users_pod_template_is_laid_over() {
        let pod = pod(
            "{podTemplate: {spec: {priorityClassName: high, containers: [{name: registry, env: [{name: A, value: b}]}]}}}",
        );
        assert_eq!(pod["priorityClassName"], "high");
        assert_eq!(pod["containers"][0]["env"], json!([{"name": "A", "value": "b"}]));
        assert_eq!(pod["containers"][0]["image"], "registry.example/berth-registry:1");
    }

    #[test]
    fn a_wrong_pod_template_leaves_the_pods_as_they_are() {
        let validated = validated("{podTemplate: {spec: {nope: 1}}}");
        assert_eq!(deployment(&validated, "", &settings()), Desired::AsIs);
    }
}
