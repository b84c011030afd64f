//! The kind `RegistryAccess`: an account of a Registry with its rights, in the namespace of those who use it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::allowed::Action;

/// Which rights are wanted of which Registry, for whom, and where the password goes.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "berth.dev",
    version = "v1alpha1",
    kind = "RegistryAccess",
    plural = "registryaccesses",
    shortname = "regacc",
    category = "berth",
    namespaced,
    status = "RegistryAccessStatus",
    derive = "PartialEq",
    doc = "An account of a Registry, such as that of a CI pipeline: it lives in the namespace that uses it, and has the rights that `spec.access.allowed` of the Registry consents to.",
    selectable = ".spec.registryRef.name",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the rights are in force"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why they are or are not"
    ),
    printcolumn(
        name = "Registry",
        type_ = "string",
        json_path = ".spec.registryRef.name",
        description = "The Registry that the rights are for"
    ),
    printcolumn(
        name = "Secret",
        type_ = "string",
        json_path = ".status.secretName",
        description = "Where the password is"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Username",
        type_ = "string",
        json_path = ".status.username",
        description = "The user that the password is for",
        priority = 1
    ),
    printcolumn(
        name = "Rotated",
        type_ = "date",
        json_path = ".status.lastRotation",
        description = "When the password was last replaced",
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 50")
        .message("name must have at most 50 characters (it becomes part of a user's name)")
)]
#[serde(rename_all = "camelCase")]
pub struct RegistryAccessSpec {
    /// The Registry that the rights are for. It cannot be changed later.
    pub registry_ref: RegistryReference,

    /// The rights: the sum of these.
    #[schemars(length(min = 1, max = 16))]
    pub allow: Vec<Grant>,

    /// ServiceAccounts of this namespace whose tokens get the same rights, without a password.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 253)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub service_accounts: Vec<String>,

    /// The Secret with the password.
    #[serde(default)]
    pub secret: AccessSecret,

    /// When the rights end. Without it, they last as long as this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<Time>,
}

/// A Registry by name.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("registryRef is immutable: create a second RegistryAccess for the other Registry")
)]
pub struct RegistryReference {
    /// The name of the Registry.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,

    /// The namespace of the Registry. Without it, this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// What may be done to some repositories.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!('Push' in self.actions) || 'Pull' in self.actions")
        .message("Push needs Pull: clients look at what is there before they push")
)]
pub struct Grant {
    /// The repositories: `*` stands for any text within one part of the name, and `**` for any number of parts, as in
    /// `team-a/**`.
    #[schemars(
        length(min = 1, max = 16),
        inner(
            length(min = 1, max = 255),
            regex(pattern = r"^(\*\*|\*|\*?([a-z0-9._-]+\*?)+)(/(\*\*|\*|\*?([a-z0-9._-]+\*?)+))*$")
        )
    )]
    pub repositories: Vec<String>,

    /// What may be done to them.
    #[serde(default = "pull")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub actions: Vec<Action>,
}

/// The Secret with the password: of the type `kubernetes.io/dockerconfigjson`, for `imagePullSecrets` and build tools, with the
/// keys `host`, `username`, `password` and `ca.crt` beside for scripts.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccessSecret {
    /// Whether there is one. Without it, there is no password either, and only ServiceAccounts have the rights.
    #[serde(default = "yes")]
    pub create: bool,

    /// Its name. Without it, the name of this object with `-registry` behind it. A Secret of somebody else is never
    /// overwritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: Option<String>,

    /// How old the password gets, in whole hours. The next one is good everywhere before it is in the Secret, and the last one
    /// stays good for a tenth of this, at least an hour.
    #[serde(default = "thirty_days")]
    #[schemars(length(max = 6), regex(pattern = r"^[1-9][0-9]*h$"))]
    pub rotate_every: String,
}

/// What the operator has observed.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RegistryAccessStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The name to log in with: `NAMESPACE.NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,

    /// The Secret with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,

    /// The name of the Registry in image references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,

    /// When the password in the Secret came into use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rotation: Option<Time>,

    /// How it goes. `Ready` says whether the rights are in force, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for AccessSecret {
    fn default() -> Self {
        Self { create: yes(), name: None, rotate_every: thirty_days() }
    }
}

fn pull() -> Vec<Action> {
    vec![Action::Pull]
}

fn yes() -> bool {
    true
}

fn thirty_days() -> String {
    "720h".to_owned()
}
