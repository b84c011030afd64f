//! Tags and manifests that are deleted.

use super::client::Client;
use super::connection::Ask;
use super::model::Name;
use anyhow::{Result, ensure};

impl Client<'_> {
    pub(crate) fn delete_tag(&mut self, repository: &'static str) -> Result<()> {
        let tag = self.own_tag(repository);
        if let Some(Some(digest)) = self.model.known(&tag) {
            let path = format!("/v2/{repository}/manifests/{}", tag.1);
            self.delete_tags(&path, &[tag], &digest)?;
        }
        Ok(())
    }

    /// Deletes a manifest, and with it the tags that point at it.
    pub(crate) fn delete_manifest(&mut self, repository: &'static str) -> Result<()> {
        let tag = self.own_tag(repository);
        if let Some(Some(digest)) = self.model.known(&tag) {
            let tags = self.model.tags_of(repository, &digest);
            let path = format!("/v2/{repository}/manifests/{digest}");
            if self.delete_tags(&path, &tags, &digest)? && !self.loses_power {
                self.model.deleted.insert((repository, digest));
            }
        }
        Ok(())
    }

    /// Deletes these tags, as far as they point at the digest.
    fn delete_tags(&mut self, path: &str, tags: &[Name], digest: &str) -> Result<bool> {
        for tag in tags {
            self.model.may_be(tag, None);
        }
        let Some(answer) = self.ask(Ask { method: "DELETE", path, ..Ask::default() })? else {
            return Ok(false);
        };
        ensure!(answer.status == 202, "LOST: DELETE {path}: {} {}", answer.status, answer.text());
        self.tally.count("deletions of tags and manifests");
        if !self.loses_power {
            let target = Some(digest.to_owned());
            for tag in tags {
                self.model.leave(tag, &target);
            }
        }
        self.expect_gone(path)?;
        Ok(true)
    }

    /// Sees that what was just deleted is gone.
    pub(crate) fn expect_gone(&mut self, path: &str) -> Result<()> {
        if let Some(answer) = self.ask(Ask { method: "GET", path, ..Ask::default() })? {
            ensure!(answer.status == 404, "{path} was deleted: {}", answer.status);
        }
        Ok(())
    }
}
