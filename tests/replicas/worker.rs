//! One client: it makes random changes, and looks at another server whether they are seen.

use anyhow::{Context, Result, ensure};
use berth_tests::digest::sha256;
use berth_tests::fleet::{Ask, Client, Fleet};
use berth_tests::http::Answer;
use fastrand::Rng;
use serde_json::json;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::model::Model;
use crate::rivals::Swaps;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const REPOSITORIES: [&str; 3] = ["app", "team/app", "team/app/web"];
const SHARED_TAGS: [&str; 2] = ["shared", "rivals"];

/// How often somebody looks again.
const PAUSE: Duration = Duration::from_millis(100);

/// The largest blob, in bytes.
const LARGEST: usize = 300_000;

/// What was done, by all workers.
#[derive(Default)]
pub(crate) struct Counts {
    /// Changes that were asked for.
    changes: AtomicUsize,
    /// Those that were acknowledged.
    acknowledged: AtomicUsize,
    /// Looks at what must be there, or must not.
    checks: AtomicUsize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        write!(
            f,
            "{} changes, of which {} were acknowledged; {} checks",
            count(&self.changes),
            count(&self.acknowledged),
            count(&self.checks)
        )
    }
}

/// A client with names of its own, of which it knows what they point at.
pub(crate) struct Worker<'a> {
    number: u64,
    random: Rng,
    client: Client<'a>,
    /// For how long a server may tell of a manifest by its digest that was deleted at another one.
    late: Duration,
    counts: &'a Counts,
    swaps: &'a Swaps,
    model: Model,
    pushed: usize,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        number: u64,
        random: Rng,
        fleet: &'a Fleet,
        late: Duration,
        counts: &'a Counts,
        swaps: &'a Swaps,
    ) -> Self {
        let client = fleet.client();
        Self { number, random, client, late, counts, swaps, model: Model::default(), pushed: 0 }
    }

    pub(crate) fn work_until(mut self, end: Instant) -> Result<Self> {
        while Instant::now() < end {
            let repository = REPOSITORIES[self.random.usize(..REPOSITORIES.len())];
            match self.random.u8(..20) {
                0..=3 => drop(self.push_blob(repository)?),
                4..=5 => self.mount(repository)?,
                6..=11 => self.move_tag(repository)?,
                12..=14 => self.swap_shared_tag(repository)?,
                15..=16 => self.delete_tag(repository)?,
                17 => self.delete_manifest(repository)?,
                18 => self.restore_tag(repository)?,
                _ => self.expect_refusal(repository)?,
            }
        }
        Ok(self)
    }

    /// Asks for a change.
    fn change(&mut self, request: Ask<'_>) -> Result<Option<Answer>> {
        let answer = self.client.send(request)?;
        self.counts.changes.fetch_add(1, Ordering::Relaxed);
        if answer.is_some() {
            self.counts.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(answer)
    }

    fn own_tag(&mut self) -> String {
        format!("worker-{}-{}", self.number, self.random.u8(..4))
    }

    fn content(&mut self) -> Vec<u8> {
        let length = self.random.usize(1..LARGEST);
        let mut content = vec![0; length];
        self.random.fill(&mut content);
        content
    }

    /// Starts an upload at one server, goes on at others, whatever becomes of them, and returns the digest and length.
    fn push_blob(&mut self, repository: &str) -> Result<Option<(String, usize)>> {
        let content = self.content();
        let digest = sha256(&content);
        let path = format!("/v2/{repository}/blobs/uploads/");
        let Some(started) = self.change(Ask { method: "POST", path: &path, ..Ask::default() })? else {
            return Ok(None);
        };
        let upload = upload_path(&started.expect(202)?)?;
        let mut sent = 0;
        while sent < content.len() {
            let end = content.len().min(sent + self.random.usize(1..=LARGEST / 2));
            let chunk = Ask { method: "PATCH", path: &upload, body: &content[sent..end], ..Ask::default() };
            if let Some(answer) = self.change(chunk)?
                && answer.status == 202
            {
                sent = end;
                continue;
            }
            // Cut off, or still being written by a server that is about to notice that its client has gone.
            let arrived = self.size_of_upload(&upload)?;
            ensure!(arrived >= sent, "{sent} bytes of {upload} were acknowledged, and {arrived} are there");
            sent = arrived;
        }
        let finish = format!("{upload}?digest={digest}");
        match self.change(Ask { method: "PUT", path: &finish, ..Ask::default() })? {
            Some(answer) => drop(answer.expect(201)?),
            None => return Ok(None),
        }
        self.check_blob(repository, &digest)?;
        self.model.blobs.insert((repository.to_owned(), digest.clone()));
        Ok(Some((digest, content.len())))
    }

    fn size_of_upload(&mut self, upload: &str) -> Result<usize> {
        let answer = self.client.question("GET", upload)?.expect(204)?;
        let last = answer.header("range").and_then(|range| range.split_once('-')).context("no Range")?.1;
        let last: usize = last.parse()?;
        // No byte at all is told as one is: `0-0`.
        Ok(if last == 0 { 0 } else { last + 1 })
    }

    fn check_blob(&mut self, repository: &str, expected: &str) -> Result<()> {
        let answer = self.client.question("GET", &format!("/v2/{repository}/blobs/{expected}"))?;
        ensure!(answer.status == 200, "{repository}@{expected} was acknowledged: {}", answer.text());
        ensure!(sha256(&answer.body) == expected, "{repository}@{expected} is damaged");
        self.counts.checks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn mount(&mut self, repository: &str) -> Result<()> {
        let mut others = self.model.blobs.iter().filter(|(of, _)| of != repository);
        let Some((from, digest)) = others.next_back().cloned() else { return Ok(()) };
        let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
        if let Some(answer) = self.change(Ask { method: "POST", path: &path, ..Ask::default() })? {
            answer.expect(201)?;
            self.check_blob(repository, &digest)?;
            self.model.blobs.insert((repository.to_owned(), digest));
        }
        Ok(())
    }

    /// The blobs of a new image, and its manifest, which nobody else pushes.
    fn image(&mut self, repository: &str) -> Result<Option<Vec<u8>>> {
        let Some((digest, size)) = self.push_blob(repository)? else { return Ok(None) };
        self.pushed += 1;
        let blob = json!({ "mediaType": "application/octet-stream", "digest": digest, "size": size });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob,
            "layers": [blob],
            "annotations": { "worker": self.number.to_string(), "image": self.pushed.to_string() },
        });
        Ok(Some(manifest.to_string().into_bytes()))
    }

    fn put(
        &mut self,
        repository: &str,
        to: &str,
        manifest: &[u8],
        more: &[String],
    ) -> Result<Option<Answer>> {
        let path = format!("/v2/{repository}/manifests/{to}");
        let headers = [&[format!("Content-Type: {MANIFEST}")], more].concat();
        self.change(Ask { method: "PUT", path: &path, headers: &headers, body: manifest })
    }

    /// Moves a tag of its own, with or without telling what it expects, and sees it at the next server.
    fn move_tag(&mut self, repository: &str) -> Result<()> {
        let tag = self.own_tag();
        let Some(manifest) = self.image(repository)? else { return Ok(()) };
        let new = sha256(&manifest);
        let expected = self.model.known(repository, &tag).filter(|_| self.random.bool());
        let precondition = expected.map(|expected| match expected {
            Some(current) => format!("If-Match: \"{current}\""),
            None => "If-None-Match: *".to_owned(),
        });
        if let Some(answer) = self.put(repository, &tag, &manifest, precondition.as_slice())? {
            answer.expect(201)?;
            self.model.set(repository, &tag, Some(new.clone()));
            self.model.set(repository, &new, Some(new.clone()));
        } else {
            self.model.may_be(repository, &tag, Some(new.clone()));
            self.model.may_be(repository, &new, Some(new.clone()));
        }
        self.look(repository, &tag)?;
        self.look(repository, &new)
    }

    /// What a tag or digest is at now.
    fn manifest_at(&mut self, repository: &str, reference: &str) -> Result<Option<String>> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let answer = self.client.question("GET", &path)?;
        if answer.status == 404 {
            return Ok(None);
        }
        Ok(Some(sha256(&answer.expect(200)?.body)))
    }

    /// Asks the next server what a name of its own points at.
    fn look(&mut self, repository: &str, name: &str) -> Result<()> {
        let mut found = self.manifest_at(repository, name)?;
        let may_be_gone = name.contains(':') && self.model.of(repository, name).contains(&None);
        let begun = Instant::now();
        while may_be_gone && found.is_some() && begun.elapsed() < self.late {
            thread::park_timeout(PAUSE);
            found = self.manifest_at(repository, name)?;
        }
        self.counts.checks.fetch_add(1, Ordering::Relaxed);
        self.model.seen(repository, name, found)
    }

    /// Moves a tag that others move as well, if it is still where it was.
    fn swap_shared_tag(&mut self, repository: &str) -> Result<()> {
        let tag = SHARED_TAGS[self.random.usize(..SHARED_TAGS.len())];
        let Some(manifest) = self.image(repository)? else { return Ok(()) };
        let current = self.manifest_at(repository, tag)?;
        let precondition = match &current {
            Some(current) => format!("If-Match: \"{current}\""),
            None => "If-None-Match: *".to_owned(),
        };
        if let Some(answer) = self.put(repository, tag, &manifest, &[precondition])?
            && answer.status != 412
        {
            answer.expect(201)?;
            let from = current.unwrap_or_default();
            self.swaps.add(&format!("{repository}:{tag}"), &from, &sha256(&manifest));
        }
        Ok(())
    }

    /// Deletes a tag of its own.
    fn delete_tag(&mut self, repository: &str) -> Result<()> {
        let tag = self.own_tag();
        if let Some(Some(_)) = self.model.known(repository, &tag) {
            self.delete(repository, &tag, &[&tag])?;
        }
        Ok(())
    }

    /// Deletes a manifest of its own, and with it the tags that point at it.
    fn delete_manifest(&mut self, repository: &str) -> Result<()> {
        let tag = self.own_tag();
        if let Some(Some(digest)) = self.model.known(repository, &tag) {
            self.delete(repository, &digest, &[&tag, &digest])?;
        }
        Ok(())
    }

    fn delete(&mut self, repository: &str, reference: &str, gone: &[&str]) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        match self.change(Ask { method: "DELETE", path: &path, ..Ask::default() })? {
            Some(answer) => {
                answer.expect(202)?;
                for name in gone {
                    self.model.set(repository, name, None);
                }
            }
            None => gone.iter().for_each(|name| self.model.may_be(repository, name, None)),
        }
        gone.iter().try_for_each(|name| self.look(repository, name))
    }

    /// Deletes a tag at one server and brings it back at another.
    fn restore_tag(&mut self, repository: &str) -> Result<()> {
        let tag = self.own_tag();
        let Some(before @ Some(_)) = self.model.known(repository, &tag) else { return Ok(()) };
        self.delete(repository, &tag, &[&tag])?;
        if self.model.known(repository, &tag) != Some(None) {
            return Ok(());
        }
        let path = format!("/v2/{repository}/_berth/restore?reference={tag}");
        match self.change(Ask { method: "POST", path: &path, ..Ask::default() })? {
            Some(answer) => {
                answer.expect(200)?;
                self.model.set(repository, &tag, before);
            }
            None => self.model.may_be(repository, &tag, before),
        }
        self.look(repository, &tag)
    }

    /// Tries to move a tag of its own that is not where the request expects it.
    fn expect_refusal(&mut self, repository: &str) -> Result<()> {
        let tag = self.own_tag();
        let Some(known) = self.model.known(repository, &tag) else { return Ok(()) };
        let Some(manifest) = self.image(repository)? else { return Ok(()) };
        let wrong = format!("If-Match: \"{}\"", sha256(&manifest));
        if let Some(answer) = self.put(repository, &tag, &manifest, &[wrong])? {
            answer.expect(412)?;
        }
        ensure!(self.manifest_at(repository, &tag)? == known, "{repository}:{tag} was moved in vain");
        Ok(())
    }

    /// Sees that everything is there that was acknowledged.
    pub(crate) fn check_everything(&mut self) -> Result<()> {
        for (repository, digest) in self.model.blobs.clone() {
            self.check_blob(&repository, &digest)?;
        }
        for (repository, name) in self.model.names() {
            self.look(&repository, &name)?;
        }
        Ok(())
    }
}

/// The path of an upload, which every server understands.
fn upload_path(started: &Answer) -> Result<String> {
    let location = started.header("location").context("no Location")?;
    let path = location.find("/v2/").map(|start| &location[start..]);
    Ok(path.context("the Location has no path")?.to_owned())
}
