//! Manifests: pushed as a whole, kept byte for byte, found by tag or digest.

mod lookup;
mod media_types;
mod push;
mod remembered;
mod standing;

use berth_oci::{Digest, Manifest, MediaType, Reference, Tag};
use bytes::Bytes;

use self::lookup::Lead;
pub use self::push::{Address, ManifestPush, PushedManifest};
pub(super) use self::remembered::Remembered;
pub use self::standing::Standing;
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
        let found = if self.0.state.quarantine.rescue(&digest).await? {
            // Until now it could have been deleted, so nothing that was read before counts, not even the tag.
            self.read(&digest, Lead::Digest).await
        } else {
            self.find(&digest, Lead::of(reference)).await
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
