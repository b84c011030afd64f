//! A bucket as the place where a registry keeps its images.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A bucket of S3, or of a server that speaks its protocol. It is left as it is when the Registry is deleted.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.region) || has(self.endpoint)")
        .message("set region, or the endpoint of a server that has no regions"),
    validation = Rule::new("!(has(self.caSecretName) && has(self.caConfigMapName))")
        .message("set at most one of caSecretName and caConfigMapName"),
    validation = Rule::new("!has(self.kmsKeyId) || self.encrypt").message("kmsKeyId needs encrypt"),
    validation = Rule::new("self.bucket == oldSelf.bucket")
        .message("bucket is immutable: create a second Registry on the other bucket and copy the images with `registry copy`"),
    validation = Rule::new("has(self.prefix) == has(oldSelf.prefix) && (!has(self.prefix) || self.prefix == oldSelf.prefix)")
        .message("prefix is immutable: create a second Registry with the other prefix and copy the images with `registry copy`")
)]
pub struct S3 {
    /// The name of the bucket, which has to exist unless `createBucket` is set.
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][-.a-z0-9]*[a-z0-9]$"))]
    pub bucket: String,

    /// Make the bucket when the registry starts, if it does not exist. The access key, or the pods' own identity, needs the
    /// right to do so (`s3:CreateBucket`).
    #[serde(default)]
    pub create_bucket: bool,

    /// The region of the bucket, such as `eu-central-1`. It may be left out with `endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[-A-Za-z0-9]+$"))]
    pub region: Option<String>,

    /// The address of a server other than Amazon's, such as `https://minio.example.com:9000`, for Ceph, Garage and
    /// others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^https?://[^/?#@\s]+/?$"))]
    pub endpoint: Option<String>,

    /// Name the bucket in the path of the addresses at `endpoint`, and not in the name of the host.
    #[serde(default = "yes")]
    pub path_style: bool,

    /// The folder of the bucket that everything is kept in, such as `registries/hub`. Without it, the whole bucket is
    /// the registry's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 256),
        regex(pattern = r"^[-A-Za-z0-9!_.*'()]+(/[-A-Za-z0-9!_.*'()]+)*$")
    )]
    pub prefix: Option<String>,

    /// A Secret in this namespace with the access key: keys `accessKeyId` and `secretAccessKey`, and `sessionToken` for
    /// a temporary one; `AWS_ACCESS_KEY_ID` and so on are understood as well. A change of the Secret replaces the pods
    /// one by one. Without this field, the pods' own identity counts, as the tools of AWS find it: see
    /// `serviceAccountAnnotations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// A Secret in this namespace whose key `ca.crt` holds the authorities (PEM) that the certificate of the endpoint is
    /// verified with. Without it, those of the registry's image count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_secret_name: Option<String>,

    /// The same as `caSecretName` in a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_config_map_name: Option<String>,

    /// Ask the server to encrypt each object. Without it, the bucket's own setting counts.
    #[serde(default)]
    pub encrypt: bool,

    /// Encrypt with this key of the key management service, and not with one of S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub kms_key_id: Option<String>,

    /// The storage class of new objects, such as `STANDARD_IA`. Without it, the server chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[A-Z][A-Z0-9_]*$"))]
    pub storage_class: Option<String>,
}

fn yes() -> bool {
    true
}
