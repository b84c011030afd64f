//! Which namespaces may have rights to a registry, and the most that they may ask for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which namespaces may have a RegistryAccess for this registry, and the most that it may ask for. One that asks for more gets
/// nothing, and says why.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
        .message("selector is for from: Selector, and required by it")
)]
pub struct Allowed {
    /// The namespaces: that of the Registry, those that `selector` selects, or all.
    #[serde(default)]
    pub from: From,

    /// The namespaces by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,

    /// The repositories that may be asked for, as in a RegistryAccess. `{namespace}` stands for the namespace of the
    /// RegistryAccess.
    #[serde(default = "below_the_namespace")]
    #[schemars(
        length(max = 32),
        inner(
            length(min = 1, max = 255),
            regex(
                pattern = r"^(\*\*|\*|\*?(([a-z0-9._-]|\{namespace\})+\*?)+)(/(\*\*|\*|\*?(([a-z0-9._-]|\{namespace\})+\*?)+))*$"
            )
        )
    )]
    pub repositories: Vec<String>,

    /// What may be asked for.
    #[serde(default = "pull_and_push")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub actions: Vec<Action>,
}

/// Which namespaces.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a doc comment on a variant would end up in the schema; `Allowed::from` explains them"
)]
pub enum From {
    #[default]
    Same,
    Selector,
    All,
}

/// What may be done to a repository.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "a doc comment on a variant would end up in the schema; the names say it")]
pub enum Action {
    Pull,
    Push,
    Delete,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            from: From::default(),
            selector: None,
            repositories: below_the_namespace(),
            actions: pull_and_push(),
        }
    }
}

fn below_the_namespace() -> Vec<String> {
    vec!["{namespace}/**".to_owned()]
}

fn pull_and_push() -> Vec<Action> {
    vec![Action::Pull, Action::Push]
}
