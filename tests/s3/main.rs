//! Images in a bucket of a real S3 server.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod bucket;
mod contract;
mod faults;
mod long_lists;
mod measure;
mod operator;
mod pages;
mod raw;
mod reads;
mod redirect;
mod registry;
mod site;
mod uploads;
mod url_secrecy;

use berth_tests::s3_server::S3Server;
use std::sync::LazyLock;

pub(crate) use contract::{Store, body, collect, download, key};

/// The server of all tests of the process; each has a folder of its own in the bucket.
pub(crate) static SERVER: LazyLock<S3Server> = LazyLock::new(|| S3Server::start().unwrap());

/// Makes a test of each sentence of the contract.
macro_rules! for_every_store {
    ($($sentence:ident),* $(,)?) => {
        mod s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() { super::$sentence($crate::contract::store()).await; })*
        }
    };
}
pub(crate) use for_every_store;
