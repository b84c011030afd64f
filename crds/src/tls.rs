//! The serving certificate of a registry.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The serving certificate: by default the operator's own, otherwise a Secret of the user, or none.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.secretName) && self.disabled)")
        .message("set at most one of secretName and disabled (neither: the operator's own certificate authority)"),
    validation = Rule::new("!has(self.sans) || self.sans.size() == 0 || !(has(self.secretName) || self.disabled)")
        .message("sans are for the certificate that the operator issues: remove secretName and disabled, or remove sans")
)]
pub struct Tls {
    /// A `kubernetes.io/tls` Secret in this namespace to serve with, keys `tls.crt` and `tls.key`, and `ca.crt` if
    /// clients need a certificate authority to trust it. It must be valid for `status.host`. A renewed certificate is
    /// taken over without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// More DNS names and IP addresses for the certificate that the operator issues. `host`, and the names
    /// and addresses of the Service with those of its load balancer, are in it already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 253), regex(pattern = r"^(\*\.)?[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub sans: Vec<String>,

    /// Serve plain HTTP. Passwords then cross the network readable, and container runtimes refuse the registry until
    /// they are told otherwise: for experiments.
    #[serde(default)]
    pub disabled: bool,
}
