//! Memory that does not grow with the size of uploads, and as little as S3 allows with their number.

use anyhow::{Context, Result, anyhow, ensure};
use std::io::{Write as _, stderr};
use std::thread;

use crate::client::Client;
use crate::connection::Ask;
use crate::site::Site;
use crate::tally::Tally;
use crate::worker::digest;

/// How much memory the server may have while everything goes wrong.
pub(crate) const BOUND_OF_STRAIN: u64 = 128 << 20;

/// How many uploads go on at once, and how much memory the server may have had by then. Most of it is for parts, which are
/// no more when there are more uploads; a connection takes a megabyte or two. Some 120 and 150 MiB are usual; with a part for
/// each upload it would be 175 and 330.
const STEPS: [(u8, u64); 2] = [(16, 144 << 20), (32, 192 << 20)];

/// The length of each, in bytes.
const LENGTH: usize = 20_000_000;

#[test]
fn memory_does_not_grow_by_a_part_for_each_upload() -> Result<()> {
    let (site, tally) = (Site::start_with(1, "1m")?, Tally::default());
    writeln!(stderr(), "memory before: {} MiB", site.largest_memory()? >> 20)?;
    for (uploads, bound) in STEPS {
        upload_at_once(&site, &tally, uploads)?;
        let memory = site.largest_memory()?;
        writeln!(stderr(), "{uploads} uploads of {LENGTH} bytes: {} MiB at most", memory >> 20)?;
        ensure!(memory < bound, "the server took {} MiB", memory >> 20);
    }
    Ok(())
}

fn upload_at_once(site: &Site, tally: &Tally, uploads: u8) -> Result<()> {
    thread::scope(|scope| {
        let uploads: Vec<_> =
            (0..uploads).map(|number| scope.spawn(move || upload(site, tally, number))).collect();
        uploads.into_iter().try_for_each(|upload| upload.join().map_err(|_| anyhow!("an upload panicked"))?)
    })
}

fn upload(site: &Site, tally: &Tally, number: u8) -> Result<()> {
    let mut client = Client::new(site.port, tally);
    let path = "/v2/memory/blobs/uploads/";
    let started = client.expect(202, Ask { method: "POST", path, ..Ask::default() })?;
    let location = started.header("location").context("no Location")?;
    let path = location.find("/v2/").map(|start| &location[start..]).context("no path")?;
    let body = vec![number; LENGTH];
    let range = format!("0-{}", LENGTH - 1);
    let headers = [("content-range", range.as_str())];
    client.expect(202, Ask { method: "PATCH", path, headers: &headers, body: &body })?;
    let path = format!("{path}?digest={}", digest(&body));
    client.expect(201, Ask { method: "PUT", path: &path, ..Ask::default() }).map(drop)
}
