//! The custom resources of Berth: types only.
//!
//! Each doc comment of a field is what `kubectl explain` shows, and each CEL rule is enforced by the API server, so
//! this crate is the whole contract between a user and the operator. It knows no client and no controller; what the
//! operator makes of a [`Registry`] and a [`RegistryAccess`] is written in `berth-operator`.

#![expect(
    unreachable_pub,
    reason = "the schema derive repeats `pub` on items that it makes inside functions"
)]

pub mod access;
pub mod allowed;
pub mod annotation;
pub mod collection_run;
pub mod condition;
mod definition;
pub mod exposure;
pub mod gc;
pub mod mirrors;
pub mod nodes;
pub mod pull_secrets;
pub mod reference;
pub mod registry;
pub mod replication;
pub mod resources;
pub mod retention;
pub mod rotation;
pub mod s3;
pub mod service;
pub mod service_account_tokens;
pub mod status;
pub mod storage;
pub mod tls;

pub use access::{RegistryAccess, RegistryAccessSpec, RegistryAccessStatus};
pub use condition::{ConditionType, Reason};
pub use definition::custom_resource_definitions;
pub use registry::{Registry, RegistrySpec};
pub use status::RegistryStatus;
