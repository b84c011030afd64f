//! A body that cannot go on: the client sees that it is not whole.

use anyhow::{Result, ensure};
use berth_tests::fault_proxy::Fault;

use crate::client::Client;
use crate::connection::{Ask, Connection};
use crate::site::Site;
use crate::tally::Tally;
use crate::worker::digest;

/// More often than the registry tries.
const FAILURES: usize = 100;

fn is_for_content(line: &str) -> bool {
    line.starts_with("GET ") && line.contains("/blobs/") && line.contains("/data ")
}

#[test]
fn a_pull_that_s3_does_not_let_end_is_cut_and_the_next_one_is_whole() -> Result<()> {
    let (site, tally) = (Site::start(1)?, Tally::default());
    let content: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
    let digest = digest(&content);
    let mut client = Client::new(site.port, &tally);
    let path = format!("/v2/app/blobs/uploads/?digest={digest}");
    client.expect(201, Ask { method: "POST", path: &path, body: &content, ..Ask::default() })?;

    let path = format!("/v2/app/blobs/{digest}");
    let pull = Ask { method: "GET", path: &path, ..Ask::default() };
    site.proxy.fail_next(Fault::Truncated, is_for_content);
    (0..FAILURES).for_each(|_| site.proxy.fail_next(Fault::InternalError, is_for_content));
    let pulled = Connection::open(site.port)?.send(pull)?;
    ensure!(pulled.status == 200 && pulled.is_cut, "{} and not cut", pulled.status);
    ensure!(content.starts_with(&pulled.body), "what has arrived is wrong");

    site.proxy.forget_next();
    ensure!(client.expect(200, pull)?.body == content, "the next pull is not whole");
    Ok(())
}
