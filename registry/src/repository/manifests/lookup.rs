//! Finding a manifest: in memory as far as that is sure to hold, and else in the storage.

use berth_oci::{Digest, Manifest, Reference};
use futures::try_join;
use tokio::time::Instant;

use super::remembered::{Memory, Moment};
use super::{Manifests, StoredManifest};
use crate::repository::{Result, layout};

/// What has led to a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// A tag of the repository, which has the manifest then.
    Tag,
    /// Its digest, which everybody may know.
    Digest,
}

impl Lead {
    pub(super) fn of(reference: &Reference) -> Self {
        match reference {
            Reference::Tag(_) => Self::Tag,
            Reference::Digest(_) => Self::Digest,
        }
    }
}

impl Manifests<'_> {
    /// The manifest, if the repository has it: as it was read before, as far as that is sure to hold still.
    pub(super) async fn find(&self, digest: &Digest, lead: Lead) -> Result<Option<StoredManifest>> {
        let remembered = self.0.state.remembered.get(&self.0.name, digest);
        match remembered {
            Some(memory) if self.holds(&memory, lead).await? => Ok(Some(memory.manifest.clone())),
            Some(memory) => self.confirm(&memory, lead).await,
            None => self.read(digest, lead).await,
        }
    }

    /// Whether what was read can be told again without asking the storage.
    async fn holds(&self, memory: &Memory, lead: Lead) -> Result<bool> {
        if lead == Lead::Tag && memory.says_its_type {
            return Ok(true);
        }
        if memory.read.at.elapsed() >= self.0.state.store.patience() {
            return Ok(false);
        }
        Ok(self.0.state.quarantine.list().await?.id() == memory.read.list)
    }

    /// Asks the storage about everything but the bytes.
    async fn confirm(&self, memory: &Memory, lead: Lead) -> Result<Option<StoredManifest>> {
        let (read, known) = (self.now().await?, &memory.manifest);
        if lead == Lead::Digest && !self.has_revision(&known.digest).await? {
            return self.read_from_blobs(&known.digest).await;
        }
        let media_type = self.media_type(&known.digest, &known.bytes).await?;
        let confirmed = StoredManifest { media_type, ..known.clone() };
        self.0.state.remembered.keep(&self.0.name, &confirmed, read);
        Ok(Some(confirmed))
    }

    /// The manifest as the storage has it, which is remembered.
    pub(super) async fn read(&self, digest: &Digest, lead: Lead) -> Result<Option<StoredManifest>> {
        let read = self.now().await?;
        let content = async { self.0.state.read(&layout::blob(digest)).await };
        let (is_there, content) = match lead {
            Lead::Tag => (true, content.await?),
            Lead::Digest => try_join!(self.has_revision(digest), content)?,
        };
        let Some((_, bytes)) = content.filter(|_| is_there) else {
            return self.read_from_blobs(digest).await;
        };
        let media_type = self.media_type(digest, &bytes).await?;
        let manifest = StoredManifest { digest: *digest, media_type, bytes };
        self.0.state.remembered.keep(&self.0.name, &manifest, read);
        Ok(Some(manifest))
    }

    async fn has_revision(&self, digest: &Digest) -> Result<bool> {
        Ok(self.0.state.head(&layout::revision(&self.0.name, digest)).await?.is_some())
    }

    /// What is read from now on is as of this moment.
    async fn now(&self) -> Result<Moment> {
        let at = Instant::now();
        let list = if self.0.state.store.patience().is_zero() {
            String::new()
        } else {
            self.0.state.quarantine.list().await?.id().to_owned()
        };
        Ok(Moment { at, list })
    }

    /// A manifest that was pushed as a blob: some build caches do so, and so did Distribution before 2.1.
    async fn read_from_blobs(&self, digest: &Digest) -> Result<Option<StoredManifest>> {
        let state = &self.0.state;
        let Some(target) = state.read_link(&layout::layer(&self.0.name, digest)).await? else {
            return Ok(None);
        };
        let key = layout::blob(&target);
        let is_small = |size| size <= self.0.rules.max_manifest_size;
        if !state.head(&key).await?.is_some_and(|meta| is_small(meta.size)) {
            return Ok(None);
        }
        let bytes = state.read(&key).await?.map(|(_, bytes)| bytes);
        let Some(bytes) = bytes.filter(|bytes| Manifest::parse(bytes, None).is_ok()) else { return Ok(None) };
        let media_type = self.media_type(digest, &bytes).await?;
        Ok(Some(StoredManifest { digest: *digest, media_type, bytes }))
    }
}
