//! How far the replacement of the registry's own certificate authority is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The last rotation of the certificate authority: a new one with a new key takes the place of the present one.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CaRotation {
    /// `Trusting`: both authorities are published, and the old one signs. `Serving`: the new one signs, and both are
    /// published. `Done`: the old one is gone.
    pub phase: RotationPhase,

    /// When this phase began.
    pub since: Time,

    /// The value of the annotation `berth.dev/rotate-ca` that was heeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// What happens in a rotation.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a doc comment on a variant would end up in the schema; the field explains them"
)]
pub enum RotationPhase {
    Trusting,
    Serving,
    Done,
}
