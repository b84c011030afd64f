//! The server from outside, byte by byte: connections, TLS, the two protocols, limits, abuse, and an orderly end.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bodies;
mod certificates;
mod clients;
mod descriptors;
mod ending;
mod files;
mod fixture;
mod frames;
mod http2;
mod limits;
mod ports;
mod raw;
mod smuggling;
mod tls;
mod unix_socket;
