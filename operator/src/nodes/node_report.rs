//! What a node agent reports of its node.

use std::collections::BTreeMap;

use berth_crds::Reason;
use k8s_openapi::api::core::v1::ConfigMap;
use serde::{Deserialize, Serialize};

/// How a node is.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// The last change that it has taken over.
    pub revision: i64,
    /// What could not be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// Something that keeps a node from reaching registries.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The key of the Registry that it is about; without one, it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// Its kind.
    pub kind: ProblemKind,
    /// In words that say what to do.
    pub message: String,
}

/// Kinds of problems.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// Somebody else has told the node where a name leads.
    ForeignEntry,
    /// containerd does not read what the agent writes.
    ConfigPathUnset,
    /// Files could not be written.
    NotWritten,
}

impl ProblemKind {
    /// The word of the condition.
    pub fn reason(self) -> Reason {
        match self {
            Self::ForeignEntry => Reason::ForeignEntry,
            Self::ConfigPathUnset => Reason::ConfigPathUnset,
            Self::NotWritten => Reason::SomeNodesFailed,
        }
    }
}

/// The reports by the names of the nodes. What cannot be read counts as no report.
pub(super) fn reports(config_map: &ConfigMap) -> BTreeMap<String, NodeReport> {
    let data = config_map.data.iter().flatten();
    data.filter_map(|(node, text)| Some((node.clone(), serde_json::from_str(text).ok()?))).collect()
}
