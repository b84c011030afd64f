//! What the operator reports about a registry.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    collection_run::GarbageCollectionStatus, nodes::NodesStatus, pull_secrets::PullSecretsStatus,
    replication::ReplicationStatus, rotation::CaRotation,
};

/// What the operator has observed.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RegistryStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The name to use in image references, in pods and on nodes alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,

    /// The operator release that shaped the objects of this registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,

    /// The image that the registry runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,

    /// Replicas that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Replicas that serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,

    /// The label selector of the replicas, for autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// The Secret with the generated administrator: keys `username`, `password`, `host`, `ca.crt` and
    /// `.dockerconfigjson`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_secret_name: Option<String>,

    /// The ConfigMap whose key `ca.crt` holds the certificate authorities that clients must trust: one, or two during a
    /// rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_name: Option<String>,

    /// The storage in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageStatus>,

    /// The certificates in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsStatus>,

    /// The garbage collections so far, and the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gc: Option<GarbageCollectionStatus>,

    /// The copies of `spec.replication` so far, and when the next ones start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationStatus>,

    /// The value of the annotation `berth.dev/rotate` that the passwords of `admin` and `pull` were last replaced for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rotate_request: Option<String>,

    /// The Secrets to pull with, of `spec.access.pullSecrets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secrets: Option<PullSecretsStatus>,

    /// The nodes that lead their container runtime to the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesStatus>,

    /// How it goes. `Ready` says whether pushes and pulls work; the others say why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The storage in use.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StorageStatus {
    /// `PersistentVolumeClaim`, `ExistingClaim`, `S3` or `EmptyDir`.
    pub kind: String,

    /// The claim that is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_name: Option<String>,

    /// The size of the volume that the claim is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<String>,

    /// The bucket in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,

    /// The folder of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,

    /// The server of the bucket, unless it is Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// The certificates in use.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TlsStatus {
    /// When the serving certificate expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,

    /// When the certificate authority expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_not_after: Option<Time>,

    /// SHA-256 of the certificate authority's certificate (DER), in lowercase hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,

    /// The last rotation of the operator's own certificate authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<CaRotation>,
}
