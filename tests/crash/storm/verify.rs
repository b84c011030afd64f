//! Looks at everything that a client knows of, byte by byte.

use super::client::{Client, PROMISE};
use super::content::{Image, REPOSITORIES, digest};
use super::model::{Name, Target};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

impl Client<'_> {
    /// Looks at everything; `false` when there is no server any more.
    pub(crate) fn verify(&mut self) -> Result<bool> {
        let mut seen = BTreeSet::new();
        for tag in self.model.tags() {
            if !self.verify_tag(&tag, &mut seen)? {
                return Ok(false);
            }
        }
        let is_done = self.verify_lists()? && self.verify_loose()? && self.verify_deleted()?;
        if is_done {
            self.model.tidy();
            self.tally.count("times that a client has looked at everything it knows of");
        }
        Ok(is_done)
    }

    /// A tag is where it may be, and what it points at is whole. Each part of a repository is looked at once.
    fn verify_tag(&mut self, tag: &Name, seen: &mut BTreeSet<Name>) -> Result<bool> {
        let path = format!("/v2/{}/manifests/{}", tag.0, tag.1);
        let Some(answer) = self.question("GET", &path)? else { return Ok(false) };
        let found: Target = match answer.status {
            404 => None,
            200 => Some(digest(&answer.body)),
            _ => anyhow::bail!("LOST: GET {path}: {} {}", answer.status, answer.text()),
        };
        ensure!(answer.header("docker-content-digest") == found.as_deref(), "{path} is told to be another");
        self.model.seen(tag, found.clone())?;
        self.tally.count("looks at tags");
        let Some(digest) = found else { return Ok(true) };
        let image = self.model.image(&digest).context("nobody knows this image")?;
        self.verify_image(tag, &image, seen)
    }

    fn verify_image(&mut self, tag: &Name, image: &Image, seen: &mut BTreeSet<Name>) -> Result<bool> {
        let parts = [(&image.digest, "manifests", &image.manifest[..])].into_iter();
        let blobs = image.blobs.iter().map(|blob| (&blob.digest, "blobs", &blob.bytes[..]));
        for (digest, kind, bytes) in parts.chain(blobs) {
            if !seen.insert((tag.0, digest.clone())) {
                continue;
            }
            let path = format!("/v2/{}/{kind}/{digest}", tag.0);
            let Some(answer) = self.question("GET", &path)? else { return Ok(false) };
            ensure!(answer.status == 200, "LOST: {path}, which {tag:?} needs: {}", answer.text());
            ensure!(answer.body == bytes, "LOST: {path}, which {tag:?} needs, is damaged");
            self.tally.count("looks at manifests and blobs");
        }
        for image in &image.images {
            if !self.verify_image(tag, image, seen)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The lists have what they must have, and nothing else.
    fn verify_lists(&mut self) -> Result<bool> {
        for repository in REPOSITORIES {
            let Some(answer) = self.question("GET", &format!("/v2/{repository}/tags/list"))? else {
                return Ok(false);
            };
            let is_own = |tag: &String| tag.starts_with(&format!("{}-", self.name));
            let listed: BTreeSet<_> =
                strings(&answer.json()?["tags"], "").into_iter().filter(is_own).collect();
            let tags = self.model.tags().into_iter();
            let tags = tags.filter(|tag| tag.0 == repository && self.model.known(tag) != Some(None));
            ensure!(listed == tags.map(|(_, tag)| tag).collect(), "the tags of {repository}: {listed:?}");
            let path = format!("/v2/{repository}/referrers/{}", self.subject());
            let Some(answer) = self.question("GET", &path)? else { return Ok(false) };
            let listed = strings(&answer.json()?["manifests"], "digest");
            for (of, referrer) in &self.model.referrers {
                ensure!(*of != repository || listed.contains(referrer), "LOST: the referrer {referrer}");
            }
            self.tally.add("looks at lists", 2);
        }
        Ok(true)
    }

    /// Blobs that no image needs are there for as long as is promised, and whole for as long as they are there.
    fn verify_loose(&mut self) -> Result<bool> {
        for loose in self.model.loose.clone() {
            let path = format!("/v2/{}/blobs/{}", loose.repository, loose.blob.digest);
            let Some(answer) = self.question("GET", &path)? else { return Ok(false) };
            let is_promised = loose.acknowledged.elapsed() < PROMISE;
            ensure!(answer.status == 200 || !is_promised, "LOST: {path}: {}", answer.text());
            if answer.status == 200 {
                ensure!(*answer.body == *loose.blob.bytes, "LOST: {path} is damaged");
            } else {
                self.model.loose.retain(|other| !other.is_of(&loose));
            }
            self.tally.count("looks at blobs that no image needs");
        }
        Ok(true)
    }

    fn verify_deleted(&mut self) -> Result<bool> {
        for (repository, digest) in self.model.deleted.clone() {
            let path = format!("/v2/{repository}/manifests/{digest}");
            let Some(answer) = self.question("GET", &path)? else { return Ok(false) };
            ensure!(answer.status == 404, "{path} was deleted: {}", answer.status);
            self.tally.count("looks at what was deleted");
        }
        Ok(true)
    }
}

/// The texts in a list, or those that its entries have under that name.
fn strings(list: &serde_json::Value, name: &str) -> BTreeSet<String> {
    let entries = list.as_array().into_iter().flatten();
    let texts =
        entries.filter_map(|entry| if name.is_empty() { entry.as_str() } else { entry[name].as_str() });
    texts.map(str::to_owned).collect()
}
