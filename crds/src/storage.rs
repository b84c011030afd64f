//! Where a registry keeps its images: a union of which exactly one member is set.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::s3::S3;

/// Where the images are kept: exactly one of `pvc`, `claimName`, `s3` and `emptyDir`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.pvc), has(self.claimName), has(self.s3), has(self.emptyDir)].exists_one(set, set)")
        .message("set exactly one of pvc, claimName, s3, emptyDir"),
    validation = Rule::new("has(self.pvc) == has(oldSelf.pvc) && has(self.claimName) == has(oldSelf.claimName) && has(self.s3) == has(oldSelf.s3) && has(self.emptyDir) == has(oldSelf.emptyDir)")
        .message("the kind of storage cannot be changed in place: create a second Registry and copy the images with `registry copy`")
)]
pub struct Storage {
    /// A claim that the operator makes under the Registry's name and, by default, keeps when the Registry is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pvc: Option<VolumeClaim>,

    /// The name of a claim that exists already. It is never changed or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: Option<String>,

    /// A bucket of S3, or of a server that speaks its protocol. It is never made or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,

    /// The pod's own disk. All images are lost when the pod is: for experiments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDir>,
}

/// A claim that the operator makes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0")
        .message("a volume can only grow"),
    validation = Rule::new("self.accessMode == oldSelf.accessMode").message("accessMode is immutable"),
    validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)")
        .message("storageClassName is immutable")
)]
pub struct VolumeClaim {
    /// The size of the volume, such as `20Gi`. It can grow later where the `StorageClass` allows that, and never shrink.
    #[serde(default = "default_size")]
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+)?(Mi|Gi|Ti|Pi|M|G|T|P)?$"))]
    pub size: String,

    /// How the volume may be mounted. `ReadWriteMany` allows more than one replica.
    #[serde(default)]
    pub access_mode: AccessMode,

    /// The `StorageClass`. Without it, the default class of the cluster is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// What happens to the claim when the Registry is deleted. A retained claim is taken over again by a Registry of
    /// the same name.
    #[serde(default)]
    pub reclaim: Reclaim,
}

/// How a volume may be mounted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a doc comment on a variant would end up in the schema; the names are Kubernetes' own"
)]
pub enum AccessMode {
    #[default]
    ReadWriteOnce,
    ReadWriteOncePod,
    ReadWriteMany,
}

/// What happens to a claim when its Registry is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "a doc comment on a variant would end up in the schema; the names say it")]
pub enum Reclaim {
    #[default]
    Retain,
    Delete,
}

/// The pod's own disk.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EmptyDir {
    /// The most that may be stored, such as `10Gi`. The pod is evicted when it stores more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+)?(Mi|Gi|Ti|Pi|M|G|T|P)?$"))]
    pub size_limit: Option<String>,
}

impl AccessMode {
    /// The name that Kubernetes has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
            Self::ReadWriteMany => "ReadWriteMany",
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { pvc: Some(VolumeClaim::default()), claim_name: None, s3: None, empty_dir: None }
    }
}

impl Default for VolumeClaim {
    fn default() -> Self {
        Self {
            size: default_size(),
            access_mode: AccessMode::default(),
            storage_class_name: None,
            reclaim: Reclaim::default(),
        }
    }
}

fn default_size() -> String {
    "20Gi".to_owned()
}
