//! Registries elsewhere whose images are served as well.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A registry elsewhere, whose images are fetched when they are first asked for, and kept.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// The name of the other registry in image references, such as `docker.io`, `quay.io` or `registry.example.com:5000`.
    #[schemars(
        length(min = 1, max = 253),
        regex(
            pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[1-9][0-9]{0,4})?$"
        )
    )]
    pub upstream: String,

    /// Its images are pulled as `HOST/PREFIX/…`. Without it, the name of the upstream is the prefix. What is pushed to this
    /// registry cannot be below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$")
    )]
    pub prefix: Option<String>,

    /// Where the other registry is, as `https://…`. Without it, where its name leads to; for `docker.io`, to Docker Hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^https?://[^/?#@\s]+/?$"))]
    pub url: Option<String>,

    /// A Secret in this namespace to log in there with: of the type `kubernetes.io/basic-auth`, or
    /// `kubernetes.io/dockerconfigjson` with an entry for the upstream. Without it, what everybody may pull is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// Whole hours, such as `168h`, after which an image that nobody pulls is let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), regex(pattern = r"^[0-9]+h$"))]
    pub ttl: Option<String>,

    /// Let the nodes ask this registry first for images of the upstream, and the upstream itself if it does not answer. The
    /// operator's chart has to allow it: `nodeAgent.allowedMirrors`.
    #[serde(default)]
    pub nodes: bool,
}

impl Mirror {
    /// What stands before the names of its repositories here.
    pub fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or(&self.upstream)
    }
}
