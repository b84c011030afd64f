//! The generator of load: many connections on one thread for what is only asked for, or on a few over TLS; a thread for each
//! connection for what is sent. Requests are made before the clock runs.

mod answer;
mod chunks;
mod client;
mod clients;
mod connection;
mod histogram;
mod request;
mod stream;
mod threads;
mod wrk;

pub(crate) use client::Client;
pub(crate) use clients::Tally;
pub(crate) use histogram::Histogram;
pub(crate) use request::{Operation, Request};
pub(crate) use stream::Trust;
pub(crate) use threads::Threads;
pub(crate) use wrk::wrk;
