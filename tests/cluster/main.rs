//! The whole path on a real node: the chart, a Registry of five lines, pushes from outside and inside, and pulls by the
//! kubelet. One cluster serves all tests; each test has images, and where it destroys something a namespace, of its own.

mod evictions;
mod fixture;
mod garbage_collection;
mod mirrors;
mod nodes;
mod object_storage;
mod pull_secrets;
mod pulls;
mod pushes;
mod reload;
mod replication;
mod restricted;
mod retention;
mod rights;
mod rollouts;
mod rotation;
mod service_accounts;
mod teams;
