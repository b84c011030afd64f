//! What the nodes of the cluster know about a registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The nodes that lead their container runtime to the registry.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NodesStatus {
    /// Nodes that lead the names of the registry to it, and trust it.
    #[serde(default)]
    pub ready: i32,

    /// Nodes that should.
    #[serde(default)]
    pub total: i32,

    /// Both in a word, such as `5/5`.
    #[serde(default)]
    pub summary: String,

    /// Nodes that do not, each with the reason; ten at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub failed: Vec<String>,
}
