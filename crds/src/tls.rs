//! The serving certificate of a registry.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The serving certificate: by default the operator's own, otherwise a Secret of the user, one that cert-manager keeps, or
/// none.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.secretName), has(self.issuerRef), self.disabled].filter(set, set).size() <= 1")
        .message("set at most one of secretName, issuerRef and disabled (none: the operator's own certificate authority)"),
    validation = Rule::new("!has(self.sans) || self.sans.size() == 0 || !(has(self.secretName) || self.disabled)")
        .message("sans are for a certificate that the operator issues or requests: remove secretName and disabled, or remove sans")
)]
pub struct Tls {
    /// A `kubernetes.io/tls` Secret in this namespace to serve with, keys `tls.crt` and `tls.key`, and `ca.crt` if
    /// clients need a certificate authority to trust it. It must be valid for `status.host`. A renewed certificate is
    /// taken over without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// The issuer that signs the certificate, by way of cert-manager, which has to be installed. The operator asks for a
    /// certificate for `status.host`: if that is the Service, for its other names and addresses too, which only a private
    /// issuer will sign. What comes is verified like `secretName`. The requested Certificate and the Secret that it fills
    /// are named `NAME-cert-manager`; the Secret stays when the Certificate is no longer wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<IssuerRef>,

    /// More DNS names and IP addresses for the certificate that the operator issues or requests. `host`, and the names and
    /// addresses of the Service with those of its load balancer, are in what it issues already.
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

/// An issuer of cert-manager.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// `Issuer`, which is in this namespace, `ClusterIssuer`, or the kind of an external issuer.
    #[serde(default = "issuer")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,

    /// The API group of that kind.
    #[serde(default = "cert_manager")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

fn issuer() -> String {
    "Issuer".to_owned()
}

fn cert_manager() -> String {
    "cert-manager.io".to_owned()
}
