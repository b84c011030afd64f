//! What a mirror asks of another registry. It is a trait, so that tests can answer without a network.

use std::fmt::Debug;

use async_trait::async_trait;
use berth_oci::{Descriptor, Digest, Reference, RepositoryName, Tag};

use crate::upstream::{Blob, EVERY_MANIFEST, Manifest, ManifestHead, RateLimit, Result, Upstream};

/// Another registry.
#[async_trait]
pub(super) trait Source: Debug + Send + Sync {
    /// What a reference leads to; `None` when that is still `known`.
    async fn head_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        known: Option<&Digest>,
    ) -> Result<Option<ManifestHead>>;

    /// A manifest, of which the digest is verified.
    async fn manifest(&self, name: &RepositoryName, reference: &Reference) -> Result<Manifest>;

    /// How long a blob is, which has to be there.
    async fn head_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<u64>>;

    /// A blob from the byte `from` on.
    async fn blob(&self, name: &RepositoryName, digest: &Digest, from: u64) -> Result<Blob>;

    /// The tags of a repository.
    async fn tags(&self, name: &RepositoryName) -> Result<Vec<Tag>>;

    /// What refers to a manifest.
    async fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<Vec<Descriptor>>;

    /// How often it may still be asked, if it has told.
    fn rate_limit(&self) -> Option<RateLimit>;
}

#[async_trait]
impl Source for Upstream {
    async fn head_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        known: Option<&Digest>,
    ) -> Result<Option<ManifestHead>> {
        self.head_manifest(name, reference, EVERY_MANIFEST, known).await
    }

    async fn manifest(&self, name: &RepositoryName, reference: &Reference) -> Result<Manifest> {
        self.manifest(name, reference, EVERY_MANIFEST).await
    }

    async fn head_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<u64>> {
        self.head_blob(name, digest).await
    }

    async fn blob(&self, name: &RepositoryName, digest: &Digest, from: u64) -> Result<Blob> {
        self.blob(name, digest, from).await
    }

    async fn tags(&self, name: &RepositoryName) -> Result<Vec<Tag>> {
        self.tags(name).await
    }

    async fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<Vec<Descriptor>> {
        self.referrers(name, subject).await
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit()
    }
}
