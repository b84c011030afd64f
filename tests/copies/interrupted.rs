//! A copy that is killed: what is there is whole, and the next one goes on.

use crate::content::Content;
use crate::registries::{Original, command, copy, text};
use anyhow::{Context, Result, ensure};
use std::process::Stdio;

const IMAGES: usize = 24;

/// The tags that the destination has.
fn tags(original: &Original) -> Result<usize> {
    let answer = original.ask("/v2/app/tags/list")?;
    let listed = if answer.status == 200 { answer.json()? } else { serde_json::Value::Null };
    Ok(listed["tags"].as_array().map_or(0, Vec::len))
}

#[test]
fn a_copy_that_is_killed_leaves_whole_images_and_the_next_one_goes_on() -> Result<()> {
    let content = Content::new(IMAGES, 2 << 20)?;
    let original = Original::start()?;
    let login = original.login()?;
    let (source, url) = (content.data(), original.url(""));
    let arguments = [text(&source)?, &url, "--authfile", text(&login)?];
    let mut killed = command(&arguments)?.args(["--jobs", "1"]).stdout(Stdio::null()).spawn()?;
    while tags(&original)? == 0 && killed.try_wait()?.is_none() {}
    killed.kill()?;
    killed.wait()?;

    let there = tags(&original)?;
    ensure!(there > 0, "nothing was copied before the end");
    // Whoever pulls now gets all of what has a tag.
    let pulled = content.path("pulled");
    let from_original = [&url, text(&pulled)?, "--authfile", text(&login)?];
    let whole = copy(&from_original)?;
    ensure!(whole["copied"].as_u64() >= u64::try_from(there).ok(), "{whole}");

    let rest = copy(&arguments)?;
    let unchanged = rest["unchanged"].as_u64().context("no number")?;
    ensure!(rest["images"] == IMAGES + 1 && unchanged >= there as u64, "{rest}");
    ensure!(tags(&original)? >= IMAGES, "not all tags are there");
    let all = copy(&from_original)?;
    ensure!(all["images"] == IMAGES + 1 && all["failed"] == serde_json::json!([]), "{all}");
    Ok(())
}
