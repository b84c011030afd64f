//! The generator of load: many connections on one thread for what is only asked for, a thread for each connection for what is
//! sent. Requests are made before the clock runs.

mod answer;
mod chunks;
mod client;
mod clients;
mod connection;
mod histogram;
mod request;
mod stream;
mod wrk;

pub(crate) use client::Client;
pub(crate) use clients::{Clients, Tally};
pub(crate) use histogram::Histogram;
pub(crate) use request::{Operation, Request};
pub(crate) use stream::Trust;
pub(crate) use wrk::wrk;
