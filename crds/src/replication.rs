//! What a registry copies from others and to others, by schedule.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::collection_run::CollectionResult;

/// What a registry copies from others and to others, by schedule: only what is missing, with signatures, and tags last. Nothing is
/// deleted in the destination.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Replication {
    /// When copies are made, as five cron fields (minute, hour, day of month, month, day of week) or a word such as `@hourly`. A
    /// copy that goes on keeps the next one of the same name from starting.
    #[serde(default = "hourly")]
    #[schemars(length(min = 1, max = 128))]
    pub schedule: String,

    /// The time zone of all schedules, such as `Europe/Berlin`. Without it, the time zone of the cluster's control
    /// plane counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// Do not copy by schedule for now.
    #[serde(default)]
    pub suspend: bool,

    /// What is copied. Each copy is made for itself, so that none waits for another.
    #[schemars(length(min = 1, max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub copies: Vec<ReplicationCopy>,
}

/// What is copied from another registry, or to it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.from) != has(self.to)").message("set exactly one of from, to")
)]
pub struct ReplicationCopy {
    /// A name for it, which the status has as well.
    #[schemars(length(max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// The registry that images come from, as `https://HOST`: `https://docker.io` is Docker Hub, and `https://NAME.NAMESPACE.svc`
    /// another Registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300), regex(pattern = r"^https?://[A-Za-z0-9.\[\]:-]+$"))]
    pub from: Option<String>,

    /// The registry that images go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300), regex(pattern = r"^https?://[A-Za-z0-9.\[\]:-]+$"))]
    pub to: Option<String>,

    /// Which repositories, such as `team/app`, `team/*` or `**`; all of them when there is none. A registry that does not list
    /// its repositories, such as Docker Hub, needs names without `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 255), regex(pattern = r"^[a-z0-9._*/-]+$")))]
    pub repositories: Vec<String>,

    /// Which tags of them, such as `1.*`, where `*` stands for any text, or as regular expressions between slashes, such as
    /// `/^v[0-9]+$/`; all of them when there is none. Signatures go with their images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 255)))]
    pub tags: Vec<String>,

    /// When this one is made, if not by `spec.replication.schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub schedule: Option<String>,

    /// What is put in front of all names in the destination, such as `mirror` in `mirror/team/app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 100),
        regex(pattern = r"^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$")
    )]
    pub prefix: Option<String>,

    /// A Secret of the type `kubernetes.io/dockerconfigjson` in this namespace, with the credentials for the other registry. Of
    /// another Registry in this namespace, `NAME-pull` or `NAME-admin` is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// A ConfigMap in this namespace whose key `ca.crt` holds authorities that the certificate of the other registry may be
    /// signed by, besides the public ones. Of another Registry in this namespace, it is `NAME-ca`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_config_map_name: Option<String>,
}

/// What came of the copies so far.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationStatus {
    /// When everything was last copied that is to be copied: the last success of the copy that is farthest behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_time: Option<Time>,

    /// The last value of the annotation `berth.dev/replicate` that all copies were started for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_request: Option<String>,

    /// How each of `spec.replication.copies` is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub copies: Vec<CopyStatus>,
}

/// How a copy is. What is told of a run is told of the last one that has ended; numbers that it has not told are left out.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CopyStatus {
    /// Its name in `spec.replication.copies`.
    pub name: String,

    /// When the last run began that succeeded: what the source had then is in the destination. Before there was one, when the copy
    /// was first asked for. Its age is the lag.
    pub current_as_of: Time,

    /// The lag when the last run ended, such as `1h5m`. After a success, that is how long the run took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,

    /// When a run last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_time: Option<Time>,

    /// When the schedule starts the next one. Without `spec.replication.timeZone`, it is computed in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,

    /// How the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<CollectionResult>,

    /// Why the first image was not copied, or none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,

    /// How many images were copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<i64>,

    /// How many images were there as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<i64>,

    /// How many images were not copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i64>,

    /// The bytes of the blobs that were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<i64>,
}

fn hourly() -> String {
    "@hourly".to_owned()
}
