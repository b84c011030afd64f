//! Whether tokens of ServiceAccounts are passwords.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether ServiceAccounts log in with their tokens; they do unless the user says otherwise.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct ServiceAccountTokens(pub bool);

impl Default for ServiceAccountTokens {
    fn default() -> Self {
        Self(true)
    }
}
