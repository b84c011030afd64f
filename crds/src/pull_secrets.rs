//! Which namespaces and ServiceAccounts get what is needed to pull.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which namespaces get a Secret to pull with, and which of their ServiceAccounts use it. Namespaces other than the
/// Registry's own are written to only if the operator was told that it may: `pullSecrets.allowedNamespaces` of its chart.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
        .message("selector is for from: Selector, and required by it"),
    validation = Rule::new("self.from != 'None' || !has(self.serviceAccounts) || self.serviceAccounts.size() == 0")
        .message("from: None leaves every ServiceAccount as it is: remove serviceAccounts, or use from: Same")
)]
pub struct PullSecrets {
    /// `Same`: the Registry's own namespace. `Selector`: the namespaces that `selector` matches. `All`: every namespace
    /// that the operator may write to, and the Registry's own. `None`: no namespace; the Secret `NAME-pull` beside the
    /// Registry stays.
    #[serde(default)]
    pub from: NamespacesFrom,

    /// The labels of the namespaces, with `from: Selector`. An empty selector matches every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,

    /// The name of the Secret in those namespaces, `NAME-pull` without it. A Secret of this name that somebody else made
    /// stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: Option<String>,

    /// ServiceAccounts of those namespaces, such as `default`, whose `imagePullSecrets` get the Secret, so that their Pods
    /// need not name it. What others have entered there stays. It is taken out again when it is no longer asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 253)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub service_accounts: Vec<String>,
}

/// How namespaces are chosen.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a doc comment on a variant would end up in the schema; the field explains each"
)]
pub enum NamespacesFrom {
    None,
    #[default]
    Same,
    Selector,
    All,
}

/// Where pull Secrets are.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PullSecretsStatus {
    /// Namespaces that have the Secret as it should be, the Registry's own included where it is chosen.
    #[serde(default)]
    pub namespaces: i32,
}
