//! The API from outside: requests to the service in this process, over storage in memory. One file an endpoint.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod authentication;
mod authorization;
mod base;
mod blobs;
mod catalog;
mod cross_origin;
mod extension;
mod fixture;
mod garbage_collection;
mod health;
mod manifests;
mod metrics;
mod prefix;
mod program;
mod reconfiguration;
mod referrers;
mod tags;
mod traces;
mod uploads;
