//! Images: pushed under tags that move, with and without a condition, and deleted.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::connection::Ask;
use crate::worker::{Worker, digest};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Worker<'_> {
    fn tag(&mut self) -> String {
        format!("v{}", self.random.u8(..4))
    }

    /// A manifest that nobody else pushes; its blobs are pushed.
    fn image(&mut self, repository: &str) -> Result<Vec<u8>> {
        let (digest, size) = self.push_blob(repository)?;
        self.images += 1;
        let blob = json!({ "mediaType": "application/octet-stream", "digest": digest, "size": size });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": blob, "layers": [blob],
            "annotations": { "worker": self.number.to_string(), "image": self.images.to_string() },
        });
        Ok(manifest.to_string().into_bytes())
    }

    /// Pushes an image under a tag.
    pub(crate) fn move_tag(&mut self, repository: &str) -> Result<()> {
        let (manifest, tag) = (self.image(repository)?, self.tag());
        let path = format!("/v2/{repository}/manifests/{tag}");
        let headers = [("content-type", MANIFEST)];
        self.client.expect(201, Ask { method: "PUT", path: &path, headers: &headers, body: &manifest })?;
        self.acknowledged(repository, &tag, &manifest)
    }

    /// The same, on the condition that the tag is where it was left. As nobody else moves it, it is; only when an answer
    /// was lost may the tag have been moved by the request itself.
    pub(crate) fn swap_tag(&mut self, repository: &str) -> Result<()> {
        let (manifest, tag) = (self.image(repository)?, self.tag());
        let path = format!("/v2/{repository}/manifests/{tag}");
        let condition = match self.model.target(repository, &tag) {
            Some(current) => ("if-match", format!("\"{current}\"")),
            None => ("if-none-match", "*".to_owned()),
        };
        let headers = [("content-type", MANIFEST), (condition.0, condition.1.as_str())];
        let swap = Ask { method: "PUT", path: &path, headers: &headers, body: &manifest };
        if let Some(answer) = self.client.try_once(swap)? {
            ensure!(answer.status == 201, "{path}: {} {}", answer.status, answer.text());
        } else {
            let answer = self.client.insist(swap)?;
            ensure!(matches!(answer.status, 201 | 412), "{path}: {} {}", answer.status, answer.text());
        }
        self.tally.swaps.add(1);
        self.acknowledged(repository, &tag, &manifest)
    }

    fn acknowledged(&mut self, repository: &str, tag: &str, manifest: &[u8]) -> Result<()> {
        let digest = digest(manifest);
        self.model.set(repository, tag, Some(digest.clone()));
        self.model.set(repository, &digest, Some(digest.clone()));
        self.tally.manifests.add(1);
        self.look(repository, tag)?;
        self.look(repository, &digest)
    }

    /// Sees that a tag or digest is at what was acknowledged.
    pub(crate) fn look(&mut self, repository: &str, name: &str) -> Result<()> {
        let answer = self.client.get(&format!("/v2/{repository}/manifests/{name}"))?;
        let found = match answer.status {
            404 => None,
            200 => Some(digest(&answer.body)),
            status => anyhow::bail!("{repository}:{name}: {status} {}", answer.text()),
        };
        self.tally.checks.add(1);
        self.model.compare(repository, name, &found)
    }

    pub(crate) fn delete_tag(&mut self, repository: &str) -> Result<()> {
        let tag = self.tag();
        match self.model.target(repository, &tag) {
            Some(_) => self.delete(repository, &tag, &[&tag]),
            None => Ok(()),
        }
    }

    /// Deletes a manifest, and with it the tags that point at it.
    pub(crate) fn delete_manifest(&mut self, repository: &str) -> Result<()> {
        let tag = self.tag();
        match self.model.target(repository, &tag) {
            Some(digest) => self.delete(repository, &digest, &[&tag, &digest]),
            None => Ok(()),
        }
    }

    fn delete(&mut self, repository: &str, reference: &str, gone: &[&str]) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let delete = Ask { method: "DELETE", path: &path, ..Ask::default() };
        let first = self.client.try_once(delete)?;
        let is_retry = first.is_none();
        let answer = match first {
            Some(answer) => answer,
            None => self.client.insist(delete)?,
        };
        // A request of which only the answer failed may have done it.
        let is_done = answer.status == 202 || (is_retry && answer.status == 404);
        ensure!(is_done, "DELETE {path}: {} {}", answer.status, answer.text());
        self.tally.deletions.add(1);
        for name in gone {
            self.model.set(repository, name, None);
            self.look(repository, name)?;
        }
        Ok(())
    }
}
