//! Upstreams that are not what they should be: too busy, broken off, lying, sending elsewhere, gone.

use crate::fixture::{IMAGE, Server, digest, manifest, mirror_of, noise};
use crate::rogue::{Reply, Rogue};
use anyhow::{Context, Result, ensure};
use berth_tests::storage::Storage;
use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json";

fn image() -> Vec<u8> {
    let nothing = digest(b"");
    manifest(&nothing, 0, &nothing, 0).into_bytes()
}

fn serve_image() -> Reply {
    let told = digest(&image());
    Reply::new(200, image()).with("content-type", IMAGE).with("docker-content-digest", &told)
}

#[test]
fn who_is_asked_too_often_is_left_alone_and_what_is_stored_is_served() -> Result<()> {
    let is_busy = Arc::new(AtomicBool::new(false));
    let busy = Arc::clone(&is_busy);
    let rogue = Rogue::start(move |_| {
        if busy.load(Ordering::SeqCst) {
            Reply::new(429, "slow down").with("retry-after", "600")
        } else {
            serve_image().with("ratelimit-remaining", "76;w=21600")
        }
    })?;
    let mirror = Server::start(&mirror_of(&rogue.url(), ""))?;
    mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/1")?.expect(200)?;
    is_busy.store(true, Ordering::SeqCst);
    let before = rogue.seen().len();
    for _ in 0..3 {
        let stale = mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/1")?.expect(200)?;
        ensure!(stale.body == image() && stale.header("warning").is_some());
    }
    let other = mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/2")?.expect(429)?;
    ensure!(other.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| wait > 500)));
    ensure!(rogue.seen().len() == before + 1, "it was asked again");
    Ok(())
}

#[test]
fn what_breaks_off_goes_on_where_it_stopped() -> Result<()> {
    let layer = noise(6 << 20);
    let (content, times) = (layer.clone(), AtomicUsize::new(0));
    let rogue = Rogue::start(move |seen| {
        let range = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let from: usize = range.and_then(|from| from.parse().ok()).unwrap_or(0);
        let reply = match from {
            0 => Reply::new(200, content.clone()),
            from => Reply::new(206, &content[from..])
                .with("content-range", &format!("bytes {from}-{}/{}", content.len() - 1, content.len())),
        };
        if times.fetch_add(1, Ordering::SeqCst) < 3 { reply.broken_after(1 << 20) } else { reply }
    })?;
    let mirror = Server::start(&mirror_of(&rogue.url(), ""))?;
    let path = format!("/v2/hub/app/blobs/{}", digest(&layer));
    ensure!(mirror.ask(&[], &path)?.expect(200)?.body == layer);
    let ranges: Vec<_> = rogue.seen().iter().map(|seen| seen.header("range").map(str::to_owned)).collect();
    ensure!(
        ranges.len() == 4 && ranges[0].is_none() && ranges[1..].iter().all(Option::is_some),
        "{ranges:?}"
    );
    Ok(())
}

#[test]
fn the_first_bytes_come_while_a_slow_one_still_sends() -> Result<()> {
    let (layer, barrier) = (noise(2 << 20), Arc::new(Barrier::new(2)));
    let rogue = Rogue::start({
        let (content, barrier) = (layer.clone(), Arc::clone(&barrier));
        move |_| Reply::new(200, content.clone()).halting_at(&barrier)
    })?;
    let mirror = Server::start(&mirror_of(&rogue.url(), ""))?;
    let path = format!("/v2/hub/app/blobs/{}", digest(&layer));
    let mut first = Reader::begin(&mirror, &path)?;
    first.read(512 << 10)?;
    barrier.wait();
    ensure!(first.read_to_end()? == layer);
    Ok(())
}

#[test]
fn who_comes_late_is_given_what_has_come_at_once_also_over_a_bucket() -> Result<()> {
    let (layer, barrier) = (noise(24 << 20), Arc::new(Barrier::new(2)));
    let rogue = Rogue::start({
        let (content, barrier) = (layer.clone(), Arc::clone(&barrier));
        move |_| Reply::new(200, content.clone()).halting_at(&barrier)
    })?;
    let storage = Storage::s3()?;
    let mirror = Server::start_in(&storage, &mirror_of(&rogue.url(), ""))?;
    let path = format!("/v2/hub/app/blobs/{}", digest(&layer));
    // Of what comes before the middle, much has left the memory of the mirror when the second client comes.
    let mut first = Reader::begin(&mirror, &path)?;
    first.read(11 << 20)?;
    let mut late = Reader::begin(&mirror, &path)?;
    late.read(11 << 20)?;
    barrier.wait();
    ensure!(first.read_to_end()? == layer && late.read_to_end()? == layer);
    ensure!(rogue.count("GET ") == 1, "{:?}", rogue.seen().len());
    Ok(())
}

/// A client that reads as much as it is told to.
struct Reader {
    curl: Child,
    body: ChildStdout,
    came: Vec<u8>,
}

impl Reader {
    fn begin(mirror: &Server, path: &str) -> Result<Self> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--no-buffer", &mirror.url(path)]).stdout(Stdio::piped());
        let mut curl = curl.spawn()?;
        let body = curl.stdout.take().context("curl has no output")?;
        Ok(Self { curl, body, came: Vec::new() })
    }

    fn read(&mut self, length: usize) -> Result<()> {
        let mut came = vec![0; length];
        self.body.read_exact(&mut came)?;
        self.came.extend(came);
        Ok(())
    }

    fn read_to_end(mut self) -> Result<Vec<u8>> {
        self.body.read_to_end(&mut self.came)?;
        self.curl.wait()?;
        Ok(self.came)
    }
}

#[test]
fn what_has_another_digest_is_never_whole() -> Result<()> {
    let layer = noise(2 << 20);
    let rogue = Rogue::start({
        let mut wrong = layer.clone();
        wrong[5] ^= 1;
        move |_| Reply::new(200, wrong.clone())
    })?;
    let mirror = Server::start(&mirror_of(&rogue.url(), ""))?;
    let path = format!("/v2/hub/app/blobs/{}", digest(&layer));
    let file = mirror.path("came");
    let output =
        Command::new("curl").args(["--silent", "--output"]).arg(&file).arg(mirror.url(&path)).output()?;
    ensure!(!output.status.success(), "curl took it for whole");
    ensure!(std::fs::metadata(&file).map_or(0, |came| came.len()) < layer.len() as u64);
    mirror.ask(&["--head"], &format!("{path}?again"))?.expect(200)?;
    ensure!(rogue.count("HEAD ") == 1, "it was kept");
    Ok(())
}

#[test]
fn credentials_do_not_follow_to_another_host() -> Result<()> {
    let layer = noise(1 << 20);
    let content = layer.clone();
    let elsewhere = Rogue::start(move |_| Reply::new(200, content.clone()))?;
    let location = format!("{}/signed", elsewhere.url().replace("127.0.0.1", "localhost"));
    let rogue = Rogue::start(move |seen| match seen.header("authorization") {
        None => Reply::new(401, "").with("www-authenticate", "Basic realm=x"),
        Some(_) => Reply::new(307, "").with("location", &location),
    })?;
    let mirror = Server::start(&mirror_of(&rogue.url(), ", username: ann, password: geheim"))?;
    let path = format!("/v2/hub/app/blobs/{}", digest(&layer));
    ensure!(mirror.ask(&[], &path)?.expect(200)?.body == layer);
    ensure!(elsewhere.seen().len() == 1);
    ensure!(elsewhere.seen()[0].header("authorization").is_none(), "the password went along");
    ensure!(!mirror.log().contains("geheim"));
    Ok(())
}

#[test]
fn one_that_is_gone_or_fails_is_told_as_such() -> Result<()> {
    let rogue = Rogue::start(|_| Reply::new(502, "bad gateway"))?;
    let mirror = Server::start(&mirror_of(&rogue.url(), ""))?;
    let failed = mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/1")?.expect(503)?;
    ensure!(failed.text().contains("hub.example.com does not answer"), "{}", failed.text());
    let gone = Rogue::start(|_| Reply::new(404, ""))?;
    let mirror = Server::start(&mirror_of(&gone.url(), ""))?;
    mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/1")?.expect(404)?;
    mirror.ask(&[], &format!("/v2/hub/app/blobs/{}", digest(b"x")))?.expect(404)?;
    Ok(())
}

#[test]
fn one_that_lets_nobody_in_does_not_seem_to_be_this_registry() -> Result<()> {
    let rogue = Rogue::start(|_| Reply::new(401, "").with("www-authenticate", "Basic realm=x"))?;
    let mirror = Server::start(&mirror_of(&rogue.url(), ""))?;
    let refused = mirror.ask(&["--header", ACCEPT], "/v2/hub/app/manifests/1")?.expect(403)?;
    ensure!(refused.header("www-authenticate").is_none() && refused.text().contains("hub.example.com"));
    Ok(())
}
