//! Blobs on their way in: at once, or in pieces that go on where the server says that they ended.

use super::client::Client;
use super::connection::Ask;
use super::content::Blob;
use anyhow::{Context, Result, bail, ensure};
use berth_tests::http::Answer;
use std::thread;
use std::time::Duration;

/// How often an upload is taken up again with the same server, and how long it is waited for what goes on still.
const ATTEMPTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// Up to so many bytes, an upload may be lost by a failure of power before it has become a blob.
const LITTLE: usize = 4 << 20;

/// An upload that was begun.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) repository: &'static str,
    pub(crate) blob: Blob,
    path: String,
    /// How many bytes have been acknowledged for good.
    acknowledged: usize,
    /// How many have arrived, as far as the server has told.
    arrived: usize,
    /// Whether the server was asked to make it a blob.
    is_finishing: bool,
    /// Whether it goes on behind bytes that were not acknowledged for good, and that a failure of power may have turned into others.
    is_doubtful: bool,
    /// Whether the server has failed to take in what it cannot forget.
    may_be_dropped: bool,
}

/// What became of an upload.
#[derive(Debug)]
pub(crate) enum Uploaded {
    Acknowledged,
    /// It has to be begun anew, or had become a blob before.
    Gone,
    /// It goes on when there is a server again.
    CutOff(Upload),
}

impl Client<'_> {
    /// Brings a blob in, one way or the other; `false` when that is not acknowledged.
    pub(crate) fn push_blob(&mut self, repository: &'static str, blob: &Blob) -> Result<bool> {
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        if self.random.bool() {
            let path = format!("{uploads}?digest={}", blob.digest);
            let ask = Ask { method: "POST", path: &path, body: &blob.bytes, ..Ask::default() };
            let Some(answer) = self.ask(ask)? else { return Ok(false) };
            answer.expect(201)?;
            self.tally.count("blobs pushed at once");
            return Ok(true);
        }
        let Some(begun) = self.ask(Ask { method: "POST", path: &uploads, ..Ask::default() })? else {
            return Ok(false);
        };
        let path = path_of_upload(&begun.expect(202)?)?;
        let upload = Upload {
            repository,
            blob: blob.clone(),
            path,
            acknowledged: 0,
            arrived: 0,
            is_finishing: false,
            is_doubtful: false,
            may_be_dropped: false,
        };
        match self.go_on(upload)? {
            Uploaded::Acknowledged => {
                self.tally.count("blobs pushed in pieces");
                Ok(true)
            }
            Uploaded::Gone => Ok(false),
            Uploaded::CutOff(upload) => {
                self.upload = Some(upload);
                Ok(false)
            }
        }
    }

    /// Asks how much of an upload has arrived, and sends what is left.
    pub(crate) fn go_on(&mut self, mut upload: Upload) -> Result<Uploaded> {
        for _ in 0..ATTEMPTS {
            let Some(answer) = self.question("GET", &upload.path)? else {
                return Ok(Uploaded::CutOff(upload));
            };
            if answer.status == 404 {
                // A little one may be lost by a failure of power.
                let is_little = self.loses_power && upload.acknowledged == 0;
                let may_be_gone = upload.is_finishing || upload.may_be_dropped || is_little;
                ensure!(may_be_gone, "LOST: the upload {}: {}", upload.path, answer.text());
                return Ok(Uploaded::Gone);
            }
            self.find_end(&mut upload, &answer)?;
            let is_sent = self.send_pieces(&mut upload)?;
            match if is_sent { self.finish(&mut upload)? } else { None } {
                Some(true) => return Ok(Uploaded::Acknowledged),
                Some(false) => return Ok(Uploaded::Gone),
                None => {}
            }
        }
        ensure!(self.may_fail(), "the upload {} does not end", upload.path);
        Ok(Uploaded::CutOff(upload))
    }

    /// Sends pieces of any length; `false` when it is not known how many of them have arrived.
    fn send_pieces(&mut self, upload: &mut Upload) -> Result<bool> {
        let whole = upload.blob.bytes.len();
        while upload.arrived < whole {
            // One byte alone cannot be told from none.
            let end = whole.min(upload.arrived + self.random.usize(2..=whole));
            let headers = [format!("Content-Range: {}-{}", upload.arrived, end - 1)];
            let body = &upload.blob.bytes[upload.arrived..end];
            let ask = Ask { method: "PATCH", path: &upload.path, headers: &headers, body };
            match self.ask(ask)? {
                Some(answer) if answer.status == 202 => {
                    upload.arrived = end;
                    if end > LITTLE || !self.loses_power {
                        upload.acknowledged = end;
                    }
                }
                // What an earlier request has done, or does still, is to be asked for.
                Some(answer) if [404, 409, 416].contains(&answer.status) => {
                    thread::park_timeout(PAUSE);
                    return Ok(false);
                }
                Some(answer) => bail!("PATCH {}: {} {}", upload.path, answer.status, answer.text()),
                None => {
                    upload.may_be_dropped |= self.has_failed;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Makes the upload a blob. `Some(false)` when its bytes are not those that were sent; `None` when nobody knows.
    fn finish(&mut self, upload: &mut Upload) -> Result<Option<bool>> {
        upload.is_finishing = true;
        let path = format!("{}?digest={}", upload.path, upload.blob.digest);
        match self.ask(Ask { method: "PUT", path: &path, ..Ask::default() })? {
            Some(answer) if answer.status == 404 => Ok(None),
            Some(answer) if answer.status == 400 && upload.is_doubtful => {
                self.tally.count("uploads refused for bytes that were not acknowledged for good");
                Ok(Some(false))
            }
            Some(answer) => answer.expect(201).map(|_| Some(true)),
            None => Ok(None),
        }
    }

    fn find_end(&self, upload: &mut Upload, answer: &Answer) -> Result<()> {
        ensure!(answer.status == 204, "GET {}: {} {}", upload.path, answer.status, answer.text());
        let range = answer.header("range").and_then(|range| range.split_once('-'));
        let last: usize = range.context("no Range")?.1.parse()?;
        // No byte at all is told as one is: `0-0`.
        let arrived = if last == 0 { 0 } else { last + 1 };
        let is_gone = (upload.is_finishing || upload.may_be_dropped) && arrived == 0;
        let kept = if self.loses_power { upload.acknowledged } else { upload.arrived };
        ensure!(
            arrived >= kept || is_gone,
            "LOST: {kept} bytes of {} were acknowledged, and {arrived} are there",
            upload.path
        );
        if arrived > 0 {
            self.tally.count("uploads continued from where the server said");
        }
        upload.is_doubtful |= self.loses_power && arrived > upload.acknowledged;
        upload.arrived = arrived;
        Ok(())
    }
}

/// The path of an upload, which every server understands.
pub(crate) fn path_of_upload(begun: &Answer) -> Result<String> {
    let location = begun.header("location").context("no Location")?;
    let path = location.find("/v2/").map(|start| &location[start..]);
    Ok(path.context("the Location has no path")?.to_owned())
}
