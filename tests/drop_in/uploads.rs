//! Uploads that one registry begins and the other one finishes.

use crate::clients::start_upload;
use crate::site::{Registry, Running, Site};
use crate::view::sha256;
use anyhow::{Context, Result, ensure};

/// Three chunks, none of which ends where a block of the hash ends.
const CHUNKS: [&[u8]; 3] = [&[1; 1000], &[2; 100_001], &[3; 77]];

/// Sends a chunk, and returns where the next one goes.
fn append(site: &Site, registry: &Running, location: &str, chunk: &[u8]) -> Result<String> {
    let answer = registry.send("PATCH", location, chunk, &site.path("chunk"))?.expect(202)?;
    answer.header("location").map(str::to_owned).context("an upload without an address")
}

fn finish(site: &Site, registry: &Running, location: &str, chunk: &[u8], digest: &str) -> Result<()> {
    let separator = if location.contains('?') { '&' } else { '?' };
    let location = format!("{location}{separator}digest={digest}");
    registry.send("PUT", &location, chunk, &site.path("chunk"))?.expect(201)?;
    let blob = registry.ask(&[], &format!("/v2/team/app/blobs/{digest}"))?.expect(200)?;
    ensure!(sha256(&blob.body) == digest, "the blob comes back as it was sent");
    Ok(())
}

/// Each registry in turn takes one chunk.
fn pass_on(order: [Registry; 3]) -> Result<()> {
    let site = Site::new()?;
    let digest = sha256(&CHUNKS.concat());
    let first = site.serve(order[0])?;
    let location = append(&site, &first, &start_upload(&first, "team/app")?, CHUNKS[0])?;
    first.stop()?;
    let second = site.serve(order[1])?;
    let location = append(&site, &second, &location, CHUNKS[1])?;
    second.stop()?;
    finish(&site, &site.serve(order[2])?, &location, CHUNKS[2], &digest)
}

#[test]
fn ours_goes_on_with_an_upload_of_the_original() -> Result<()> {
    pass_on([Registry::Original, Registry::Berth, Registry::Berth])
}

#[test]
fn the_original_goes_on_with_an_upload_of_ours() -> Result<()> {
    pass_on([Registry::Berth, Registry::Original, Registry::Original])
}

#[test]
fn an_upload_goes_there_and_back() -> Result<()> {
    pass_on([Registry::Original, Registry::Berth, Registry::Original])
}
