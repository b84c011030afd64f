//! The custom resources and the operator against a real API server: what it accepts, what the operator makes, keeps,
//! changes and removes, and what it says about Registries that cannot work. No pod runs here; that is the ring `cluster`.
//!
//! One control plane and one operator serve all tests; each test has a namespace of its own. The tests of the election start
//! more operators, as processes of their own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of a test may fail it")]

mod access;
mod collector;
mod conditions;
mod drift;
mod election;
mod enforced;
mod exposure;
mod fixture;
mod garbage_collection;
mod issuer;
mod lifecycle;
mod mirrors;
mod nodes;
mod object_storage;
mod pause;
mod pull_secrets;
mod quiet;
mod reload;
mod replication;
mod requests;
mod retention;
mod rotation;
mod routes;
mod schema;
mod service_accounts;
mod services;
mod silence;
mod tls_client;
mod traces;
