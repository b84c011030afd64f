//! Manifests: pushed as a whole, kept byte for byte, found by tag or digest.

use berth_oci::{Algorithm, Digest, Manifest, MediaType, Reference};
use berth_storage::PutCondition;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::hasher::digest_of;
use super::{Error, Repository, Result, layout};

/// How many of the blobs that a manifest refers to are looked up at once.
const CONCURRENCY: usize = 8;

/// A manifest that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its address.
    pub digest: Digest,
    /// Its kind, as its bytes say or as follows from them; Distribution's layout has no other place for it.
    pub media_type: MediaType,
    /// The bytes exactly as they were pushed.
    pub bytes: Bytes,
}

/// A manifest that was just taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedManifest {
    /// Its address.
    pub digest: Digest,
    /// The manifest that it refers to as its subject.
    pub subject: Option<Digest>,
}

/// The manifests of a repository.
#[derive(Debug)]
pub struct Manifests<'a>(pub(super) &'a Repository);

impl Manifests<'_> {
    /// The manifest.
    pub async fn get(&self, reference: &Reference) -> Result<StoredManifest> {
        let unknown = || Error::ManifestUnknown(reference.clone());
        let digest = self.resolve(reference).await?.ok_or_else(unknown)?;
        let bytes = self.read(&digest).await?.ok_or_else(unknown)?;
        let media_type = Manifest::media_type_of(&bytes).unwrap_or_else(MediaType::default_of_manifests);
        Ok(StoredManifest { digest, media_type, bytes })
    }

    /// The manifest, for a client that may rely on its existence: it is spared by the garbage collection for
    /// its minimum age.
    pub async fn head(&self, reference: &Reference) -> Result<StoredManifest> {
        let manifest = self.get(reference).await?;
        self.rely_on(&manifest.digest).await?;
        Ok(manifest)
    }

    /// Takes a manifest in under a tag or its digest. `declared` is the media type that the client gave.
    ///
    /// Everything that the manifest needs must be in the repository already; its subject may come later.
    pub async fn put(
        &self,
        reference: &Reference,
        declared: Option<&MediaType>,
        bytes: Bytes,
    ) -> Result<PushedManifest> {
        self.0.check_writable()?;
        let limit = self.0.rules.max_manifest_size;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge { limit });
        }
        let digest = verified_digest(reference, &bytes)?;
        let manifest = Manifest::parse(&bytes, declared)?;
        if manifest.media_type().is_schema1() {
            return Err(Error::ManifestObsolete);
        }
        let _content_stays = self.0.state.liveness.publish(&self.0.name).await;
        self.require_content(&manifest).await?;
        self.store(reference, &digest, &manifest, bytes).await?;
        Ok(PushedManifest { digest, subject: manifest.subject().map(|subject| subject.digest) })
    }

    /// Deletes a manifest together with its tags, or a tag alone.
    pub async fn delete(&self, reference: &Reference) -> Result<()> {
        self.0.check_deletable()?;
        let existed = match reference {
            Reference::Tag(tag) => self.0.tags().delete(tag).await?,
            Reference::Digest(digest) => self.delete_revision(digest).await?,
        };
        if existed { Ok(()) } else { Err(Error::ManifestUnknown(reference.clone())) }
    }

    async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>> {
        match reference {
            Reference::Tag(tag) => self.0.tags().resolve(tag).await,
            Reference::Digest(digest) => Ok(Some(*digest)),
        }
    }

    /// The bytes of the manifest, if the repository has it.
    async fn read(&self, digest: &Digest) -> Result<Option<Bytes>> {
        let state = &self.0.state;
        if state.head(&layout::revision(&self.0.name, digest)).await?.is_some() {
            return Ok(state.read(&layout::blob(digest)).await?.map(|(_, bytes)| bytes));
        }
        self.read_from_blobs(digest).await
    }

    /// A manifest that was pushed as a blob: some build caches do so, and so did Distribution before 2.1.
    async fn read_from_blobs(&self, digest: &Digest) -> Result<Option<Bytes>> {
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
        Ok(bytes.filter(|bytes| Manifest::parse(bytes, None).is_ok()))
    }

    /// Looks up the manifest for somebody who will rely on it.
    async fn rely_on(&self, digest: &Digest) -> Result<bool> {
        let _held = self.0.state.liveness.hold(digest).await;
        let link = self.0.state.rely_on(&layout::revision(&self.0.name, digest)).await?;
        Ok(link.is_some() && self.0.state.rely_on(&layout::blob(digest)).await?.is_some())
    }

    /// Checks that the repository has what the manifest needs, and keeps the collector from taking it.
    async fn require_content(&self, manifest: &Manifest) -> Result<()> {
        let blobs = manifest.config().into_iter().chain(manifest.layers());
        let blobs = blobs.filter(|blob| !blob.may_be_elsewhere()).map(|blob| (blob.digest, false));
        let children = manifest.manifests().iter().map(|child| (child.digest, true));
        let needed: Vec<_> = blobs.chain(children).collect();
        let checks = needed.into_iter().map(|(digest, is_manifest)| async move {
            let is_there = is_manifest && self.rely_on(&digest).await?
                || self.0.blobs().rely_on(&digest).await?.is_some();
            if is_there { Ok(()) } else { Err(Error::ManifestBlobUnknown(digest)) }
        });
        stream::iter(checks).buffered(CONCURRENCY).try_collect().await
    }

    /// Writes the content first and the tag last: an interrupted push leaves nothing that points nowhere.
    async fn store(
        &self,
        reference: &Reference,
        digest: &Digest,
        manifest: &Manifest,
        bytes: Bytes,
    ) -> Result<()> {
        let state = &self.0.state;
        let _held = state.liveness.hold(digest).await;
        state.store.put(&layout::blob(digest), bytes, PutCondition::Always).await?;
        state.write_link(&layout::revision(&self.0.name, digest), digest).await?;
        if let Some(subject) = manifest.subject() {
            self.0.referrers().add(&subject.digest, digest).await?;
        }
        match reference {
            Reference::Tag(tag) => self.0.tags().point(tag, digest).await,
            Reference::Digest(_) => Ok(()),
        }
    }

    async fn delete_revision(&self, digest: &Digest) -> Result<bool> {
        let state = &self.0.state;
        let revision = layout::revision(&self.0.name, digest);
        let _condemned = state.liveness.condemn(digest).await;
        if state.head(&revision).await?.is_none() {
            return Ok(false);
        }
        self.0.tags().forget(digest).await?;
        let content = state.read(&layout::blob(digest)).await?;
        let manifest = content.and_then(|(_, bytes)| Manifest::parse(&bytes, None).ok());
        if let Some(subject) = manifest.as_ref().and_then(Manifest::subject) {
            self.0.referrers().remove(&subject.digest, digest).await?;
        }
        state.store.delete(&revision).await?;
        Ok(true)
    }
}

fn verified_digest(reference: &Reference, bytes: &[u8]) -> Result<Digest> {
    match reference {
        Reference::Tag(_) => Ok(digest_of(Algorithm::Sha256, bytes)),
        Reference::Digest(expected) => {
            let actual = digest_of(expected.algorithm(), bytes);
            if actual == *expected {
                Ok(actual)
            } else {
                Err(Error::DigestMismatch { expected: *expected, actual: Box::new(actual) })
            }
        }
    }
}
