//! Blobs: pushed in every way there is, mounted, pulled, deleted.

use anyhow::{Context, Result, bail, ensure};

use crate::connection::{Answer, Ask};
use crate::worker::{Worker, digest};

/// Most blobs are small.
const SMALL: usize = 200_000;

/// Some have several parts of 5 MiB.
const LARGE: usize = 13_000_000;

/// How often an upload is taken up again: more often than requests go wrong in a row.
const ATTEMPTS: usize = 100;

impl Worker<'_> {
    /// Pushes a new blob, and returns its digest and length.
    pub(crate) fn push_blob(&mut self, repository: &str) -> Result<(String, usize)> {
        let content = self.content();
        let digest = digest(&content);
        match self.random.u8(..4) {
            0 => self.push_at_once(repository, &content, &digest)?,
            1 => self.push_by_put(repository, &content, &digest)?,
            _ => self.push_in_chunks(repository, &content, &digest)?,
        }
        self.model.add_blob(repository, &digest);
        self.tally.blobs.add(1);
        self.tally.bytes.add(content.len() as u64);
        Ok((digest, content.len()))
    }

    fn content(&mut self) -> Vec<u8> {
        let largest = if self.random.u8(..5) == 0 { LARGE } else { SMALL };
        let mut content = vec![0; self.random.usize(10..largest)];
        self.random.fill(&mut content);
        content
    }

    fn push_at_once(&mut self, repository: &str, content: &[u8], digest: &str) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.client
            .expect(201, Ask { method: "POST", path: &path, body: content, ..Ask::default() })
            .map(drop)
    }

    /// Starts an upload and puts all of it. After a failure it goes on where the registry says that it is.
    fn push_by_put(&mut self, repository: &str, content: &[u8], digest: &str) -> Result<()> {
        let upload = self.start(repository)?;
        let path = format!("{upload}?digest={digest}");
        let (mut sent, mut is_retry) = (0, false);
        for _ in 0..ATTEMPTS {
            let range = format!("{sent}-{}", content.len() - 1);
            let headers = [("content-range", range.as_str())];
            let (headers, body) =
                if sent < content.len() { (&headers[..], &content[sent..]) } else { (&[][..], &[][..]) };
            let answer = self.client.try_once(Ask { method: "PUT", path: &path, headers, body })?;
            sent = match answer {
                // What it has taken in turns out to be of no use; it says where to go on, and nothing was acknowledged.
                Some(answer) if answer.status == 416 && is_retry => size(&answer)?,
                Some(answer) => return expect(201, &answer),
                None => self.size_of_upload(&upload)?,
            };
            is_retry = true;
            self.tally.continued.add(1);
            ensure!(sent <= content.len(), "{upload} has {sent} bytes of {}", content.len());
        }
        bail!("{upload} does not end")
    }

    /// Sends chunks. After a failure it goes on where the registry says that it is, which is not before what was
    /// acknowledged.
    fn push_in_chunks(&mut self, repository: &str, content: &[u8], digest: &str) -> Result<()> {
        let upload = self.start(repository)?;
        let mut sent = 0;
        while sent < content.len() {
            let end = content.len().min(sent + self.random.usize(1..=content.len()));
            let range = format!("{sent}-{}", end - 1);
            let headers = [("content-range", range.as_str())];
            let chunk = Ask { method: "PATCH", path: &upload, headers: &headers, body: &content[sent..end] };
            if let Some(answer) = self.client.try_once(chunk)? {
                expect(202, &answer)?;
                ensure!(size(&answer)? == end || end == 1, "{upload} has not {end} bytes: {answer:?}");
                sent = end;
                continue;
            }
            self.tally.continued.add(1);
            let arrived = self.size_of_upload(&upload)?;
            ensure!(arrived >= sent, "{sent} bytes of {upload} were acknowledged, and {arrived} are there");
            ensure!(arrived <= end, "{upload} has {arrived} bytes, of which {end} were sent");
            sent = arrived;
        }
        let path = format!("{upload}?digest={digest}");
        self.client.expect(201, Ask { method: "PUT", path: &path, ..Ask::default() }).map(drop)
    }

    fn start(&mut self, repository: &str) -> Result<String> {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let started = self.client.expect(202, Ask { method: "POST", path: &path, ..Ask::default() })?;
        let location = started.header("location").context("no Location")?;
        let path = location.find("/v2/").map(|start| &location[start..]).context("no path")?;
        Ok(path.split('?').next().unwrap_or(path).to_owned())
    }

    fn size_of_upload(&mut self, upload: &str) -> Result<usize> {
        let answer = self.client.get(upload)?;
        expect(204, &answer)?;
        size(&answer)
    }

    /// Makes a blob of one repository visible in the other.
    pub(crate) fn mount(&mut self, repository: &str) -> Result<()> {
        let other = self.model.blobs().rfind(|(of, _)| of != repository).cloned();
        let Some((from, digest)) = other else { return Ok(()) };
        let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
        self.client.expect(201, Ask { method: "POST", path: &path, ..Ask::default() })?;
        self.model.add_blob(repository, &digest);
        self.tally.mounts.add(1);
        self.check_blob(repository, &digest)
    }

    /// Deletes a blob that no image needs.
    pub(crate) fn delete_blob(&mut self) -> Result<()> {
        let repository = format!("worker{}/unused", self.number);
        let (digest, _) = self.push_blob(&repository)?;
        let path = format!("/v2/{repository}/blobs/{digest}");
        let deleted = self.client.insist(Ask { method: "DELETE", path: &path, ..Ask::default() })?;
        // It may have been deleted by a request of which only the answer failed.
        ensure!(matches!(deleted.status, 202 | 404), "DELETE {path}: {} {}", deleted.status, deleted.text());
        self.model.remove_blob(&repository, &digest);
        self.tally.deletions.add(1);
        self.check_that_blob_is_gone(&repository, &digest)
    }

    /// Pulls one of the blobs.
    pub(crate) fn pull_any(&mut self) -> Result<()> {
        let blobs: Vec<_> = self.model.blobs().cloned().collect();
        let Some((repository, digest)) = self.random.choice(blobs) else { return Ok(()) };
        self.check_blob(&repository, &digest)
    }

    /// Sees that the blob is there, with every byte.
    pub(crate) fn check_blob(&mut self, repository: &str, expected: &str) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{expected}");
        let head = self.client.expect(200, Ask { method: "HEAD", path: &path, ..Ask::default() })?;
        let answer = self.client.expect(200, Ask { method: "GET", path: &path, ..Ask::default() })?;
        ensure!(digest(&answer.body) == expected, "{repository}@{expected} is damaged");
        ensure!(head.header("content-length") == answer.header("content-length"), "{path} has two lengths");
        self.tally.checks.add(1);
        Ok(())
    }

    pub(crate) fn check_that_blob_is_gone(&mut self, repository: &str, digest: &str) -> Result<()> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        self.client.expect(404, Ask { method: "GET", path: &path, ..Ask::default() })?;
        self.tally.checks.add(1);
        Ok(())
    }
}

/// How many bytes the registry says that it has. No byte at all is told as one is: `0-0`.
fn size(answer: &Answer) -> Result<usize> {
    let last = answer.header("range").and_then(|range| range.split_once('-')).context("no Range")?.1;
    let last: usize = last.parse()?;
    Ok(if last == 0 { 0 } else { last + 1 })
}

fn expect(status: u16, answer: &Answer) -> Result<()> {
    ensure!(answer.status == status, "{status} was expected, not {} {}", answer.status, answer.text());
    Ok(())
}
