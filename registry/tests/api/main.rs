//! The API from outside: requests to the service in this process, over storage in memory. One file an endpoint or a subject.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod authentication;
mod authorization;
mod base;
mod blobs;
mod catalog;
mod clients;
mod content;
mod cross_origin;
mod extension;
mod fixture;
mod garbage_collection;
mod health;
mod hostile;
mod layer_urls;
mod low_space;
mod manifests;
mod media_types;
mod metrics;
mod negotiation;
mod notifications;
mod own_tokens;
mod preconditions;
mod prefix;
mod presigning;
mod program;
mod read_only;
mod reconfiguration;
mod redirect;
mod referrers;
mod repeated_blob_pulls;
mod repeated_pulls;
mod retention;
mod rights;
mod service_accounts;
mod storage_failures;
mod tag_parameters;
mod tags;
mod tokens;
mod traces;
mod trash;
mod uploads;
