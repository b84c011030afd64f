//! Registries elsewhere whose images are served as well.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// A registry elsewhere, whose images are fetched when they are first asked for, and kept.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.prefix) || !self.upstream.contains(':')")
        .message("an upstream with a port needs a prefix, since no repository has a colon in its name"),
    validation = Rule::new("!(has(self.caSecretName) && has(self.caConfigMapName))")
        .message("set at most one of caSecretName and caConfigMapName")
)]
pub struct Mirror {
    /// The name of the other registry in image references, such as `docker.io`, `quay.io` or `registry.example.com:5000`.
    #[schemars(
        length(min = 1, max = 253),
        regex(
            pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[1-9][0-9]{0,4})?$"
        )
    )]
    pub upstream: String,

    /// Its images are pulled as `HOST/PREFIX/…`. Without it, the name of the upstream is the prefix. No other mirror may have
    /// the same one, or one below it, and nobody can push there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$")
    )]
    pub prefix: Option<String>,

    /// Where the other registry answers, such as `https://registry.example.com`. Without it, where its name leads to, and for
    /// `docker.io` Docker Hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^https?://[^/?#@\s]+/?$"))]
    pub url: Option<String>,

    /// A Secret in this namespace to log in there with: of the type `kubernetes.io/basic-auth`, or
    /// `kubernetes.io/dockerconfigjson` with an entry for the upstream. Without it, what everybody may pull there is served. A new
    /// password needs no restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// A Secret in this namespace whose key `ca.crt` holds the authorities (PEM) that the certificate of the upstream is verified
    /// with, beside those of the registry's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_secret_name: Option<String>,

    /// The same as `caSecretName` in a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_config_map_name: Option<String>,

    /// Never ask the upstream, as on a site that is cut off from it: what is stored already is served, and nothing else.
    #[serde(default)]
    pub offline: bool,

    /// For how long a tag is believed before the upstream is asked again, such as `10m` or `24h`: a minute without it. What is
    /// pulled by digest is never asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = r"^[0-9]+(s|m|h)$"))]
    pub ttl: Option<String>,

    /// Whole hours, such as `720h`, after which an image goes that nobody has pulled. Without it, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), regex(pattern = r"^[1-9][0-9]*h$"))]
    pub keep: Option<String>,

    /// How much room its images may take, such as `50Gi`; those go first that were pulled longest ago. Without it, there is no
    /// bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = r"^[1-9][0-9]*(Mi|Gi|Ti)$"))]
    pub limit: Option<String>,

    /// Let the nodes ask this registry first for images of the upstream, and the upstream itself if this one does not answer.
    /// `nodeAgent.allowedMirrors` of the operator's chart has to permit it. Nodes ask without a password of this registry, so
    /// that it takes `anonymousPull` as well, here or in `access`.
    #[serde(default)]
    pub nodes: bool,

    /// Let everybody who reaches this registry pull the upstream's images without a password, also those that only the login of
    /// `secretName` may see there. That the first mirror is opened so replaces the pods, which then give tokens to everybody.
    #[serde(default)]
    pub anonymous_pull: bool,
}

impl Mirror {
    /// The Secrets that it refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        [self.secret_name.as_deref(), self.ca_secret_name.as_deref()].into_iter().flatten()
    }

    /// The ConfigMap that it refers to.
    pub fn config_map(&self) -> Option<&str> {
        self.ca_config_map_name.as_deref()
    }

    /// What stands before the names of its repositories here.
    pub fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or(&self.upstream)
    }
}
