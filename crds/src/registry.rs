//! The kind `Registry`: what a user asks for.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    allowed::Allowed,
    exposure::{Gateway, Ingress},
    gc::GarbageCollection,
    mirrors::Mirror,
    pull_secrets::PullSecrets,
    replication::Replication,
    resources::Resources,
    service::Service,
    service_account_tokens::ServiceAccountTokens,
    status::RegistryStatus,
    storage::Storage,
    tls::Tls,
};

/// What the registry should be. Everything has a default: an empty spec gives one replica on a 20Gi volume, with TLS,
/// generated credentials and a nightly garbage collection.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "berth.dev",
    version = "v1alpha1",
    kind = "Registry",
    plural = "registries",
    shortname = "reg",
    category = "berth",
    namespaced,
    status = "RegistryStatus",
    derive = "PartialEq",
    doc = "A container registry: give it a name, and push and pull images under `status.host`.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether pushes and pulls work"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Host",
        type_ = "string",
        json_path = ".status.host",
        description = "The name to use in image references"
    ),
    printcolumn(
        name = "Storage",
        type_ = "string",
        json_path = ".status.storage.kind",
        description = "Where the images are kept"
    ),
    printcolumn(
        name = "GC",
        type_ = "date",
        json_path = ".status.gc.lastSuccessTime",
        description = "The last successful garbage collection"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Replicas that serve",
        priority = 1
    ),
    printcolumn(
        name = "Nodes",
        type_ = "string",
        json_path = ".status.nodes.summary",
        description = "Nodes that lead to it, of all nodes",
        priority = 1
    ),
    printcolumn(
        name = "Bucket",
        type_ = "string",
        json_path = ".status.storage.bucket",
        description = "The bucket of the images, where they are in one",
        priority = 1
    ),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".status.tls.notAfter",
        description = "When the serving certificate expires",
        priority = 1
    ),
    printcolumn(
        name = "Freed",
        type_ = "integer",
        json_path = ".status.gc.lastRun.freedBytes",
        description = "Bytes that the last garbage collection has freed",
        priority = 1
    ),
    printcolumn(
        name = "Next-GC",
        type_ = "string",
        json_path = ".status.gc.nextScheduleTime",
        description = "When the next garbage collection starts",
        priority = 1
    ),
    printcolumn(
        name = "Replicated",
        type_ = "date",
        json_path = ".status.replication.lastSuccessTime",
        description = "When everything of spec.replication was last copied",
        priority = 1
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.version",
        description = "The operator release that shaped it",
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("name must be a DNS label of at most 40 characters that starts with a letter (it becomes the name of a Service and of a CronJob)")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.replicas <= 1 || has(self.storage.s3) || has(self.storage.claimName) || (has(self.storage.pvc) && self.storage.pvc.accessMode == 'ReadWriteMany')")
        .message("more than one replica needs storage that all of them share: storage.s3, storage.pvc with accessMode ReadWriteMany, or storage.claimName"),
    validation = Rule::new("!(has(self.ingress) || has(self.gateway)) || has(self.host)")
        .message("ingress and gateway need host, the name that they are reached by"),
    validation = Rule::new("!(has(self.ingress) && has(self.gateway))")
        .message("set ingress or gateway, not both"),
    validation = Rule::new("!has(self.mirrors) || self.mirrors.all(one, self.mirrors.all(other, one.upstream == other.upstream || !((has(one.prefix) ? one.prefix : one.upstream) + '/').startsWith((has(other.prefix) ? other.prefix : other.upstream) + '/')))")
        .message("each of mirrors needs a prefix of its own, which is not below that of another")
)]
pub struct RegistrySpec {
    /// How many replicas serve. 0 stops the registry and keeps its data. More than one needs storage that all of
    /// them share: `storage.s3`, or a volume that all of them can mount.
    #[serde(default = "one_replica")]
    #[schemars(range(min = 0, max = 50))]
    pub replicas: i32,

    /// The public name, such as `registry.example.com`, with a port where clients need one. It becomes `status.host`, the
    /// name in image references, and is in the certificate that the operator issues. Whatever leads there is made by
    /// `ingress`, by `gateway`, or by you. Inside the cluster, the name of the Service goes on working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 253),
        regex(
            pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+(:[1-9][0-9]{0,4})?$"
        )
    )]
    pub host: Option<String>,

    /// Refuse pushes and deletes, and serve pulls. It changes without a restart.
    #[serde(default)]
    pub read_only: bool,

    /// How much the registry logs. It changes without a restart.
    #[serde(default)]
    pub log_level: LogLevel,

    /// Where the images are kept: exactly one of `pvc`, `claimName`, `s3` and `emptyDir`. The kind cannot be changed
    /// later.
    #[serde(default)]
    pub storage: Storage,

    /// The serving certificate. By default the operator issues and renews one under its own certificate authority,
    /// which it publishes in the ConfigMap named by `status.caConfigMapName`.
    #[serde(default)]
    pub tls: Tls,

    /// The Service in front of the registry.
    #[serde(default)]
    pub service: Service,

    /// Lead `host` to the registry by an Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,

    /// Lead `host` to the registry by a route of the Gateway API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,

    /// Who may push and pull, besides the two generated users `admin` and `pull`.
    #[serde(default)]
    pub access: Access,

    /// When and how blobs that nothing refers to are deleted.
    #[serde(default)]
    pub gc: GarbageCollection,

    /// Registries elsewhere that this one serves as well: what is pulled below the prefix of a mirror is fetched there once, and
    /// kept here. A change needs no restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["upstream"])
    )]
    pub mirrors: Vec<Mirror>,

    /// Let the node agent of the operator's chart lead the nodes to this registry: by the name of its Service, by `host` where
    /// the chart allows it, and for the upstreams of `mirrors` that ask for it. The nodes need no DNS for that, and no restart.
    #[serde(default = "yes")]
    pub node_trust: bool,

    /// What the registry copies from others and to others, by schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,

    /// Restrict the registry's pods to the traffic they need: its own port in, that of its metrics for pods of the cluster, and
    /// nothing out but what leads to a bucket or to the upstreams of mirrors.
    #[serde(default = "yes")]
    pub network_policy: bool,

    /// CPU and memory of the registry container. What is not set here keeps the operator's default: requests of 50m
    /// and 64Mi, and a memory limit of 256Mi, or 512Mi with `storage.s3`, which goes away when memory is requested
    /// without a limit.
    #[serde(default)]
    pub resources: Resources,

    /// Annotations of the ServiceAccount of the registry's pods, which has the Registry's name. By them a cloud gives the
    /// pods an identity for `storage.s3`, as with `eks.amazonaws.com/role-arn`. A change replaces the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub service_account_annotations: BTreeMap<String, String>,

    /// A partial `PodTemplateSpec` that is merged over the operator's: `nodeSelector`, `tolerations`, `affinity`,
    /// `priorityClassName`, annotations, more volumes and so on. Maps merge by key; `containers`, `initContainers`,
    /// `volumes`, `env`, `volumeMounts` (by `mountPath`) and `imagePullSecrets` merge by name; other lists replace.
    /// The registry's own container is named `registry`. The pods of the garbage collection take over `nodeSelector`,
    /// `tolerations`, `affinity`, `imagePullSecrets` and `priorityClassName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub pod_template: Option<serde_json::Map<String, Value>>,
}

/// How much the registry logs.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "a doc comment on a variant would end up in the schema; the names are the usual log levels"
)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Who may push and pull, besides the two generated users `admin` and `pull`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// A Secret in this namespace whose key `htpasswd` lists more users, one `NAME:BCRYPT` a line, as
    /// `htpasswd -B` writes them. They may pull and push everything. Changes take effect without a restart. The
    /// names `admin` and `pull` are the operator's, and `serviceaccount` is for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub htpasswd_secret_name: Option<String>,

    /// Let everybody pull everything without a password. Clients are then asked for a token, which they get at `/token`
    /// with a password or without one.
    #[serde(default)]
    pub anonymous_pull: bool,

    /// Which namespaces may have a RegistryAccess for this registry, and the most that it may ask for. By default, only the
    /// namespace of the Registry may, for repositories below its name.
    #[serde(default)]
    pub allowed: Allowed,

    /// Let ServiceAccounts of the cluster log in without a stored password: as the user `serviceaccount`, with a token whose
    /// audience is `status.host`. That alone lets them do nothing: each may do what is granted to it by name.
    #[serde(default)]
    pub service_account_tokens: ServiceAccountTokens,

    /// Which namespaces get a Secret to pull with, and which of their ServiceAccounts use it.
    #[serde(default)]
    pub pull_secrets: PullSecrets,
}

impl Default for RegistrySpec {
    fn default() -> Self {
        Self {
            replicas: one_replica(),
            host: None,
            read_only: false,
            log_level: LogLevel::default(),
            storage: Storage::default(),
            tls: Tls::default(),
            service: Service::default(),
            ingress: None,
            gateway: None,
            access: Access::default(),
            gc: GarbageCollection::default(),
            mirrors: Vec::new(),
            node_trust: yes(),
            replication: None,
            network_policy: yes(),
            resources: Resources::default(),
            service_account_annotations: BTreeMap::new(),
            pod_template: None,
        }
    }
}

fn one_replica() -> i32 {
    1
}

fn yes() -> bool {
    true
}

fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
