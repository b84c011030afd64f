//! Notifications, from an event until a real HTTP server has taken it: over storage in memory, one file a subject. Which
//! requests make which events is tested in `tests/api`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod delivery;
mod filters;
mod fixture;
mod receiver;
mod replicas;
mod restart;
mod secrets;
