//! Deployment `NAME`: the pods that serve.

use berth_crds::resources::ResourceQuantity;
use serde_json::{Map, Value, json};

use super::{
    Settings, bucket,
    config_map::{CONFIG_DIRECTORY, CONFIG_FILE, METRICS_PORT, PORT},
    live_settings, volumes,
};
use crate::{
    apply::Desired,
    digest::sha256_hex,
    metadata::{METRICS, SERVER},
    registry::validate::{Files, Sharing, Validated, pod_template::merge},
};

/// The user and group of the registry image.
pub(super) const USER: u32 = 65532;

/// A hash of what the registry reads only when it starts, or is given only then. Users, rights, certificates and the settings
/// that it takes over while it runs are not in it: those it reads again by itself.
const RESTART_HASH: &str = "berth.dev/restart-hash";

pub(super) fn deployment(validated: &Validated, config: &str, settings: &Settings) -> Desired<Value> {
    // Pods that cannot open their bucket would only fail.
    let (Ok(over), Some(files)) = (&validated.pod_template, &validated.storage.files) else {
        return Desired::AsIs;
    };
    let identity = &validated.identity;
    let mut template = pod_template(validated, config, files, settings);
    merge(&mut template, over);
    Desired::Present(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": identity.owned(identity.name.clone()),
        "spec": {
            "replicas": validated.spec.replicas,
            "selector": {"matchLabels": identity.selector()},
            "strategy": strategy(validated.storage.sharing),
            "template": template,
        },
    }))
}

/// A volume that only one pod can mount must be let go of before the next pod can start; of a bucket, the next pod serves
/// before one goes.
fn strategy(sharing: Sharing) -> Value {
    match sharing {
        Sharing::Exclusive => json!({"type": "Recreate"}),
        Sharing::Mounted => {
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
        }
        Sharing::Remote => {
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}})
        }
    }
}

fn pod_template(validated: &Validated, config: &str, files: &Files, settings: &Settings) -> Value {
    let identity = &validated.identity;
    json!({
        "metadata": {
            "labels": identity.pod_labels(SERVER),
            "annotations": {RESTART_HASH: restart_hash(validated, config, files)},
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
            "topologySpreadConstraints": spread(validated),
            "containers": [container(validated, files, settings)],
            "volumes": volumes::volumes(validated).into_iter().map(|(volume, _)| volume).collect::<Vec<_>>(),
        },
    })
}

/// Replicas of the same release go to different zones and nodes where there is room.
fn spread(validated: &Validated) -> Value {
    let over = |key: &str| {
        json!({
            "topologyKey": key,
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": validated.identity.selector()},
            // Those that are about to go do not count.
            "matchLabelKeys": ["pod-template-hash"],
        })
    };
    json!([over("topology.kubernetes.io/zone"), over("kubernetes.io/hostname")])
}

fn container(validated: &Validated, files: &Files, settings: &Settings) -> Value {
    json!({
        "name": SERVER,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": ["serve", format!("{CONFIG_DIRECTORY}/{CONFIG_FILE}")],
        "env": bucket::variables(files),
        "ports": [
            {"name": SERVER, "containerPort": PORT, "protocol": "TCP"},
            {"name": METRICS, "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "securityContext": container_security(),
        "resources": resources(validated),
        // Five minutes to open a large file system; then liveness takes over, which never looks at the storage.
        "startupProbe": probe(validated, "/readyz", 2, 150),
        "readinessProbe": probe(validated, "/readyz", 5, 3),
        "livenessProbe": probe(validated, "/livez", 10, 6),
        "volumeMounts": volumes::volumes(validated).into_iter().map(|(_, mount)| mount).collect::<Vec<_>>(),
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

/// The operator's defaults, each of which the spec may replace.
fn resources(validated: &Validated) -> Value {
    let wanted = &validated.spec.resources;
    let mut requests =
        Map::from_iter([("cpu".to_owned(), json!("50m")), ("memory".to_owned(), json!("64Mi"))]);
    // Each upload holds a part in memory on its way to a bucket.
    let memory = if validated.spec.storage.s3.is_some() { "512Mi" } else { "256Mi" };
    let mut limits = Map::from_iter([("memory".to_owned(), json!(memory))]);
    // A request above the default limit would be refused.
    if wanted.requests.contains_key("memory") && !wanted.limits.contains_key("memory") {
        limits.remove("memory");
    }
    let text = |(name, amount): (&String, &ResourceQuantity)| (name.clone(), json!(amount.to_string()));
    requests.extend(wanted.requests.iter().map(text));
    limits.extend(wanted.limits.iter().map(text));
    json!({"requests": requests, "limits": limits})
}

/// The files that open a bucket are read once, and a cloud gives an identity to a pod when the pod is made.
fn restart_hash(validated: &Validated, config: &str, files: &Files) -> String {
    let files = files.iter().map(|(name, value)| format!("{name}={value}\n"));
    let annotations = &validated.spec.service_account_annotations;
    let annotations = annotations.iter().map(|(name, value)| format!("{name}={value}\n"));
    let read =
        std::iter::once(live_settings::without(config)).chain(files).chain(annotations).collect::<String>();
    sha256_hex(read.as_bytes()).chars().take(16).collect()
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
    }

    #[test]
    fn replicas_on_a_bucket_are_replaced_after_the_next_ones_serve() {
        let strategy =
            built("{replicas: 2, storage: {s3: {bucket: images, region: r}}}")["spec"]["strategy"].clone();
        let limits = json!({"maxSurge": "25%", "maxUnavailable": 0});
        assert_eq!(strategy, json!({"type": "RollingUpdate", "rollingUpdate": limits}));
    }

    #[test]
    fn replicas_go_to_different_zones_and_nodes_where_there_is_room() {
        let constraints = pod("{}")["topologySpreadConstraints"].clone();
        assert_eq!(constraints[0]["topologyKey"], "topology.kubernetes.io/zone");
        assert_eq!(constraints[1]["topologyKey"], "kubernetes.io/hostname");
        assert_eq!(constraints[1]["whenUnsatisfiable"], "ScheduleAnyway");
        assert_eq!(constraints[1]["matchLabelKeys"], json!(["pod-template-hash"]));
    }

    const BUCKET: &str = "{storage: {s3: {bucket: images, region: r, secretName: key}}}";

    fn with_key(spec: &str, key: &str) -> Value {
        let mut validated = validated(spec);
        let files = [("accesskey", "A"), ("secretkey", key)].map(|(name, value)| (name, value.to_owned()));
        validated.storage.files = Some(files.into());
        match deployment(&validated, &config_file(&validated), &settings()) {
            Desired::Present(deployment) => deployment["spec"]["template"].clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_access_key_reaches_the_registry_as_files_and_a_new_one_restarts_it() {
        let template = with_key(BUCKET, "S");
        let container = &template["spec"]["containers"][0];
        assert_eq!(
            container["env"][0],
            json!({"name": "REGISTRY_STORAGE_S3_ACCESSKEY_FILE", "value": "/etc/berth/storage/accesskey"})
        );
        assert_eq!(
            container["volumeMounts"][3],
            json!({"name": "storage", "mountPath": "/etc/berth/storage", "readOnly": true})
        );
        assert_eq!(template["spec"]["volumes"][3]["secret"]["secretName"], "hub-storage");
        assert!(!template.to_string().contains("/var/lib/registry"), "a volume that nothing is kept on");

        let hash = |template: &Value| template["metadata"]["annotations"][RESTART_HASH].clone();
        assert_ne!(hash(&template), hash(&with_key(BUCKET, "T")));
        assert_eq!(hash(&template), hash(&with_key(BUCKET, "S")));
    }

    #[test]
    fn an_access_key_that_was_never_there_starts_nothing() {
        let validated = validated(BUCKET);
        assert_eq!(deployment(&validated, "", &settings()), Desired::AsIs);
    }

    #[test]
    fn a_web_identity_can_be_projected_by_the_users_pod_template() {
        let pod = pod("{storage: {s3: {bucket: images, region: r}}, podTemplate: {spec: {\
              volumes: [{name: aws, projected: {sources: [{serviceAccountToken: {path: token, audience: sts.amazonaws.com}}]}}], \
              containers: [{name: registry, volumeMounts: [{name: aws, mountPath: /var/run/secrets/aws, readOnly: true}], \
                env: [{name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /var/run/secrets/aws/token}, {name: AWS_ROLE_ARN, value: r}]}]}}}");
        let container = &pod["containers"][0];
        assert_eq!(container["env"][0]["name"], "AWS_WEB_IDENTITY_TOKEN_FILE");
        let of_user = |list: &Value| {
            list.as_array().and_then(|all| all.iter().find(|one| one["name"] == "aws")).cloned()
        };
        assert_eq!(of_user(&container["volumeMounts"]).unwrap()["mountPath"], "/var/run/secrets/aws");
        let volume = of_user(&pod["volumes"]).unwrap();
        assert_eq!(volume["projected"]["sources"][0]["serviceAccountToken"]["path"], "token");
        assert_eq!(pod["securityContext"]["fsGroup"], USER, "the token is readable");
    }

    #[test]
    fn other_mirrors_restart_no_pods() {
        let mirrored =
            "{mirrors: [{upstream: docker.io, secretName: login}, {upstream: quay.io, offline: true}]}";
        assert_eq!(built("{}")["spec"]["template"], built(mirrored)["spec"]["template"]);
    }

    #[test]
    fn a_new_role_restarts_the_pods() {
        let hash = |role: &str| {
            let spec = format!(
                "{{storage: {{s3: {{bucket: images, region: r}}}}, serviceAccountAnnotations: {{role: {role}}}}}"
            );
            built(&spec)["spec"]["template"]["metadata"]["annotations"][RESTART_HASH].clone()
        };
        assert_ne!(hash("a"), hash("b"));
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
        assert_ne!(hash("{}"), hash("{tls: {disabled: true}}"));
        assert_eq!(hash("{}"), hash("{tls: {sans: [hub.example]}, gc: {schedule: '0 4 * * *'}}"));
        assert_eq!(hash("{}"), hash("{logLevel: debug, readOnly: true}"));
        assert_eq!(hash("{}"), hash("{gc: {retention: [{repositories: ['**'], keepLast: 5}]}}"));
    }

    #[test]
    fn resources_replace_the_defaults_one_by_one() {
        let resources = |spec: &str| pod(spec)["containers"][0]["resources"].clone();
        assert_eq!(
            resources("{}"),
            json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}})
        );
        assert_eq!(
            resources("{storage: {s3: {bucket: images, region: r}}}")["limits"],
            json!({"memory": "512Mi"})
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
