//! The registry server of Berth: a drop-in replacement for the registry of the CNCF Distribution project.
//!
//! - [`config`] says what the server does,
//! - [`server`] listens and keeps connections,
//! - [`api`] speaks HTTP to clients,
//! - [`auth`] knows users and their rights,
//! - [`repository`] keeps the rules of a registry, on top of the crate `berth_storage`,
//! - [`mirror`] pulls from other registries what nobody has pushed, with the help of [`upstream`],
//! - [`archive`] reads and writes files of images, on top of the same rules,
//! - [`copying`] brings images from one registry or storage to another,
//! - [`notifications`] tell other servers of pushes, pulls and deletions,
//! - [`reloading`] follows files that change, [`reconfiguration`] brings a new configuration into a running server,
//! - [`http_client`] asks other servers, [`upstream`] other registries,
//! - [`telemetry`] writes the log, [`metrics`] counts, and [`health`] checks that all is well.
//!
//! Requests go down from `server` over `api` and `repository` to the storage, and nothing calls back up. The map
//! with its reasons is ARCHITECTURE.md in the folder above.

pub mod api;
pub mod archive;
pub mod auth;
pub mod config;
pub mod copying;
pub mod health;
pub mod http_client;
pub mod metrics;
pub mod mirror;
pub mod notifications;
pub mod reconfiguration;
pub mod reloading;
pub mod repository;
pub mod server;
pub mod telemetry;
pub mod upstream;
