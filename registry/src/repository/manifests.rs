//! Manifests: pushed as a whole, kept byte for byte, found by tag or digest.

mod media_types;
mod push;
mod remembered;

use berth_oci::{Digest, Manifest, MediaType, Reference, Tag};
use bytes::Bytes;
use futures::try_join;
use tokio::time::Instant;

pub use self::push::{Address, ManifestPush, PushedManifest};
pub(super) use self::remembered::Remembered;
use self::remembered::{Memory, Moment};
use super::{Error, Precondition, Repository, Result, layout};

/// A manifest that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its address.
    pub digest: Digest,
    /// Its kind, as its bytes say, as it was noted when they do not, or as follows from them.
    pub media_type: MediaType,
    /// The bytes exactly as they were pushed.
    pub bytes: Bytes,
}

/// What has led to a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// A tag of the repository, which has the manifest then.
    Tag,
    /// Its digest, which everybody may know.
    Digest,
}

impl Lead {
    fn of(reference: &Reference) -> Self {
        match reference {
            Reference::Tag(_) => Self::Tag,
            Reference::Digest(_) => Self::Digest,
        }
    }
}

/// The manifests of a repository.
#[derive(Debug)]
pub struct Manifests<'a>(pub(super) &'a Repository);

impl Manifests<'_> {
    /// The manifest.
    pub async fn get(&self, reference: &Reference) -> Result<StoredManifest> {
        let unknown = || Error::ManifestUnknown(reference.clone());
        let digest = self.resolve(reference).await?.ok_or_else(unknown)?;
        self.find(&digest, Lead::of(reference)).await?.ok_or_else(unknown)
    }

    /// The manifest, for a client that may rely on its existence: it stays at least for as long as garbage rests in
    /// quarantine.
    pub async fn head(&self, reference: &Reference) -> Result<StoredManifest> {
        let unknown = || Error::ManifestUnknown(reference.clone());
        let digest = self.resolve(reference).await?.ok_or_else(unknown)?;
        let lead = Lead::of(reference);
        let found = if self.0.state.quarantine.rescue(&digest).await? {
            // Until now it could have been deleted, so what was read before does not count.
            self.read(&digest, lead).await
        } else {
            self.find(&digest, lead).await
        };
        found?.ok_or_else(unknown)
    }

    /// Deletes a manifest together with its tags, or a tag alone.
    pub async fn delete(&self, reference: &Reference) -> Result<()> {
        self.delete_if(reference, &Precondition::default()).await.map(drop)
    }

    /// Deletes a manifest together with its tags, or a tag alone, if the precondition holds for it. Returns the tags that
    /// are gone.
    pub async fn delete_if(&self, reference: &Reference, precondition: &Precondition) -> Result<Vec<Tag>> {
        self.0.check_deletable()?;
        let tags = match reference {
            Reference::Tag(tag) => self.0.tags().delete(tag, precondition).await?.then(|| vec![tag.clone()]),
            Reference::Digest(digest) => self.delete_revision(digest, precondition).await?,
        };
        tags.ok_or_else(|| Error::ManifestUnknown(reference.clone()))
    }

    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>> {
        match reference {
            Reference::Tag(tag) => self.0.tags().resolve(tag).await,
            Reference::Digest(digest) => Ok(Some(*digest)),
        }
    }

    /// The manifest, if the repository has it: as it was read before, as far as that is sure to hold still.
    async fn find(&self, digest: &Digest, lead: Lead) -> Result<Option<StoredManifest>> {
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
    async fn read(&self, digest: &Digest, lead: Lead) -> Result<Option<StoredManifest>> {
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

    /// Looks up the manifest for somebody who will rely on it.
    async fn rely_on(&self, digest: &Digest) -> Result<bool> {
        let content = self.0.state.rely_on(digest).await?;
        let link = self.0.state.head(&layout::revision(&self.0.name, digest)).await?;
        Ok(link.is_some() && content.is_some())
    }

    /// Deletes the manifest and returns its tags; `None` when it is not there.
    async fn delete_revision(
        &self,
        digest: &Digest,
        precondition: &Precondition,
    ) -> Result<Option<Vec<Tag>>> {
        let state = &self.0.state;
        let revision = layout::revision(&self.0.name, digest);
        let _condemned = state.liveness.condemn(digest).await;
        if state.head(&revision).await?.is_none() {
            return Ok(None);
        }
        precondition.require(&Reference::Digest(*digest), Some(*digest))?;
        self.0.trash().keep(digest, None).await?;
        let tags = self.0.tags().forget(digest).await?;
        if let Some(subject) = self.subject_of(digest).await? {
            self.0.referrers().remove(&subject, digest).await?;
        }
        state.store.delete(&revision).await?;
        state.remembered.forget(&self.0.name, digest);
        self.forget_media_type(digest).await?;
        Ok(Some(tags))
    }

    async fn subject_of(&self, digest: &Digest) -> Result<Option<Digest>> {
        let Some((_, bytes)) = self.0.state.read(&layout::blob(digest)).await? else { return Ok(None) };
        let media_type = self.media_type(digest, &bytes).await?;
        let manifest = Manifest::parse(&bytes, Some(&media_type)).ok();
        Ok(manifest.and_then(|manifest| manifest.subject().map(|subject| subject.digest)))
    }
}
