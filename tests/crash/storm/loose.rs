//! Blobs that no image needs: pushed, mounted and deleted, and collected some time after.

use super::client::{Client, PROMISE};
use super::connection::Ask;
use super::content::{Blob, REPOSITORIES};
use super::model::Loose;
use super::upload::path_of_upload;
use anyhow::{Result, ensure};
use std::time::Instant;

/// How many blobs a client remembers that no image needs.
const MOST_LOOSE: usize = 6;

impl Client<'_> {
    /// Remembers a blob that no image needs, and that nobody else relies on.
    pub(crate) fn loosen(&mut self, repository: &'static str, blob: Blob) {
        if blob.is_shared {
            return;
        }
        self.model.loose.push(Loose { repository, blob, acknowledged: Instant::now() });
        if self.model.loose.len() > MOST_LOOSE {
            self.model.loose.remove(0);
        }
    }

    /// Pushes a blob that no image needs; some are larger than what is written at once, or than what is little.
    pub(crate) fn push_loose_blob(&mut self, repository: &'static str) -> Result<()> {
        let largest = if self.random.u8(..4) == 0 { 6 << 20 } else { 50_000 };
        let blob = Blob::unique(&mut self.random, largest);
        if self.push_blob(repository, &blob)? {
            self.loosen(repository, blob);
        }
        Ok(())
    }

    pub(crate) fn mount_loose_blob(&mut self, repository: &'static str) -> Result<()> {
        if self.model.loose.is_empty() {
            return Ok(());
        }
        let loose = self.model.loose[self.random.usize(..self.model.loose.len())].clone();
        match self.mount(repository, &loose.blob, loose.repository)? {
            Some(true) => self.loosen(repository, loose.blob),
            Some(false) => {
                ensure!(
                    loose.acknowledged.elapsed() > PROMISE,
                    "LOST: {} cannot be mounted",
                    loose.blob.digest
                );
            }
            None => {}
        }
        Ok(())
    }

    /// Whether the blob was mounted; `None` when that is not known.
    fn mount(&mut self, to: &str, blob: &Blob, from: &str) -> Result<Option<bool>> {
        let path = format!("/v2/{to}/blobs/uploads/?mount={}&from={from}", blob.digest);
        let Some(answer) = self.ask(Ask { method: "POST", path: &path, ..Ask::default() })? else {
            return Ok(None);
        };
        if answer.status == 202 {
            let begun = path_of_upload(&answer)?;
            self.ask(Ask { method: "DELETE", path: &begun, ..Ask::default() })?;
            return Ok(Some(false));
        }
        answer.expect(201)?;
        self.tally.count("mounts");
        Ok(Some(true))
    }

    /// Brings a blob that others may have brought: it is skipped, mounted or uploaded.
    pub(crate) fn bring(&mut self, repository: &'static str, blob: &Blob) -> Result<bool> {
        if self.random.u8(..4) > 0 {
            let path = format!("/v2/{repository}/blobs/{}", blob.digest);
            let answer = self.ask(Ask { method: "HEAD", path: &path, ..Ask::default() })?;
            if answer.is_some_and(|answer| answer.status == 200) {
                return Ok(true);
            }
        }
        let from = REPOSITORIES[self.random.usize(..REPOSITORIES.len())];
        if self.random.bool() && self.mount(repository, blob, from)? == Some(true) {
            return Ok(true);
        }
        self.push_blob(repository, blob)
    }

    pub(crate) fn delete_loose_blob(&mut self) -> Result<()> {
        if self.model.loose.is_empty() {
            return Ok(());
        }
        let loose = self.model.loose.swap_remove(self.random.usize(..self.model.loose.len()));
        self.model.loose.retain(|other| !other.is_of(&loose));
        let path = format!("/v2/{}/blobs/{}", loose.repository, loose.blob.digest);
        if let Some(answer) = self.ask(Ask { method: "DELETE", path: &path, ..Ask::default() })? {
            ensure!([202, 404].contains(&answer.status), "DELETE {path}: {}", answer.text());
            self.tally.count("deletions of blobs");
            self.expect_gone(&path)?;
        }
        Ok(())
    }
}
