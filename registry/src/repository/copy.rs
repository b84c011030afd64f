//! Copies from one repository to another, without a byte on the way through a client.
//!
//! Content is shared by all repositories: what a copy makes are links, and the manifest's own push comes last. So a
//! copy is seen whole or not at all, as a push is.

use std::collections::HashSet;

use berth_oci::{Digest, Manifest, Reference};

use super::{Error, PushedManifest, Repository, Result, StoredManifest};

/// What is still to be done, the last first.
enum Step {
    /// Copy what the digest names, if the source has it.
    Visit(Digest),
    /// Push the manifest, now that what it needs is there.
    Push(StoredManifest),
}

impl Repository {
    /// Copies a manifest of `source` with everything that it needs, under a tag or its digest.
    ///
    /// What the source does not have is left out, and the rules of a push decide whether the manifest may lack it.
    pub async fn copy(
        &self,
        source: &Self,
        reference: &Reference,
        target: &Reference,
    ) -> Result<PushedManifest> {
        self.check_writable()?;
        let manifest = source.manifests().get(reference).await?;
        if source.name != self.name {
            self.copy_needed(source, &manifest).await?;
        }
        self.manifests().put(target, Some(&manifest.media_type), manifest.bytes).await
    }

    /// Copies what the manifest needs, but not the manifest.
    async fn copy_needed(&self, source: &Self, manifest: &StoredManifest) -> Result<()> {
        let mut seen = HashSet::from([manifest.digest]);
        let mut ahead = self.copy_blobs(source, manifest).await?;
        while let Some(step) = ahead.pop() {
            match step {
                Step::Visit(digest) if seen.insert(digest) => {
                    let child = match source.manifests().get(&digest.into()).await {
                        Err(Error::ManifestUnknown(_)) => {
                            self.blobs().mount(&digest, &source.name).await?;
                            continue;
                        }
                        child => child?,
                    };
                    let needed = self.copy_blobs(source, &child).await?;
                    ahead.push(Step::Push(child));
                    ahead.extend(needed);
                }
                Step::Visit(_) => {}
                Step::Push(child) => {
                    let StoredManifest { digest, media_type, bytes } = child;
                    self.manifests().put(&digest.into(), Some(&media_type), bytes).await?;
                }
            }
        }
        Ok(())
    }

    /// Copies the blobs that the manifest names, and returns the steps for the manifests that it names.
    async fn copy_blobs(&self, source: &Self, manifest: &StoredManifest) -> Result<Vec<Step>> {
        let Ok(manifest) = Manifest::parse(&manifest.bytes, None) else { return Ok(Vec::new()) };
        for blob in manifest.config().into_iter().chain(manifest.layers()) {
            self.blobs().mount(&blob.digest, &source.name).await?;
        }
        Ok(manifest.manifests().iter().map(|child| Step::Visit(child.digest)).collect())
    }
}
