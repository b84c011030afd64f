//! Pushing: what a manifest needs is there, then its content is written, then the names that lead to it.

use berth_oci::{Algorithm, Digest, Manifest, MediaType, Reference, Tag};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::Manifests;
use crate::repository::hasher::digest_of;
use crate::repository::state::links;
use crate::repository::{Error, Precondition, Result, layout};

/// How many of the blobs that a manifest refers to are looked up at once.
const CONCURRENCY: usize = 8;

/// A manifest on its way in, and the names that it shall have.
#[derive(Debug, Clone)]
pub struct ManifestPush {
    /// The bytes, which are kept exactly so.
    pub bytes: Bytes,
    /// The media type that the client gave.
    pub media_type: Option<MediaType>,
    /// The address that it shall have.
    pub address: Address,
    /// The tags that shall point at it; it can be found by its digest without any.
    pub tags: Vec<Tag>,
    /// What must hold for each of the tags, or for the digest when there is none.
    pub precondition: Precondition,
}

/// The address that a pushed manifest shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Its digest by this algorithm, whatever that is.
    By(Algorithm),
    /// This digest; any other is an error of the transport.
    Exactly(Digest),
}

impl ManifestPush {
    /// A push of `bytes` to a tag or to their digest.
    pub fn to(reference: &Reference, bytes: Bytes) -> Self {
        let (address, tags) = match reference {
            Reference::Tag(tag) => (Address::By(Algorithm::Sha256), vec![tag.clone()]),
            Reference::Digest(digest) => (Address::Exactly(*digest), Vec::new()),
        };
        Self { bytes, media_type: None, address, tags, precondition: Precondition::default() }
    }
}

/// A manifest that was just taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedManifest {
    /// Its address.
    pub digest: Digest,
    /// Its kind.
    pub media_type: MediaType,
    /// The manifest that it refers to as its subject.
    pub subject: Option<Digest>,
}

impl Address {
    fn of(self, bytes: &[u8]) -> Result<Digest> {
        match self {
            Self::By(algorithm) => Ok(digest_of(algorithm, bytes)),
            Self::Exactly(expected) => {
                let actual = digest_of(expected.algorithm(), bytes);
                if actual == expected {
                    Ok(actual)
                } else {
                    Err(Error::DigestMismatch { expected, actual: Box::new(actual) })
                }
            }
        }
    }
}

impl Manifests<'_> {
    /// Takes a manifest in under a tag or its digest. `declared` is the media type that the client gave.
    pub async fn put(
        &self,
        reference: &Reference,
        declared: Option<&MediaType>,
        bytes: Bytes,
    ) -> Result<PushedManifest> {
        self.push(ManifestPush { media_type: declared.cloned(), ..ManifestPush::to(reference, bytes) }).await
    }

    /// Takes a manifest in, under all its names or none.
    ///
    /// What the manifest needs must be in the repository already, as far as the rules of the registry ask for it; its
    /// subject may come later.
    pub async fn push(&self, push: ManifestPush) -> Result<PushedManifest> {
        self.0.check_room().await?;
        let limit = self.0.rules.max_manifest_size;
        if push.bytes.len() as u64 > limit {
            return Err(Error::TooLarge { limit });
        }
        let digest = push.address.of(&push.bytes)?;
        let manifest = Manifest::parse(&push.bytes, push.media_type.as_ref())?;
        if manifest.media_type().is_schema1() {
            return Err(Error::ManifestObsolete);
        }
        if !self.0.is_mirrored() {
            self.0.rules.layer_urls.check(&manifest)?;
        }
        self.check_precondition(&digest, &push).await?;
        let _repository_stays = self.0.state.liveness.publish(&self.0.name).await;
        let _manifest_stays = self.0.state.liveness.hold(&digest).await;
        let mut list = self.0.state.quarantine.list().await?;
        self.take_in(&digest, &manifest, &push.bytes).await?;
        self.0.tags().point(&push.tags, &digest, &push.precondition).await?;
        while self.0.state.quarantine.has_changed(&mut list).await? {
            // A collector may have gone by what it saw before the manifest was visible.
            self.take_in(&digest, &manifest, &push.bytes).await?;
        }
        Ok(PushedManifest {
            digest,
            media_type: manifest.media_type().clone(),
            subject: manifest.subject().map(|subject| subject.digest),
        })
    }

    /// Refuses a push in vain before anything is written. For tags the answer counts that they get when they are
    /// moved.
    async fn check_precondition(&self, digest: &Digest, push: &ManifestPush) -> Result<()> {
        if push.precondition.is_empty() {
            return Ok(());
        }
        if push.tags.is_empty() {
            let known = self.0.state.read_link(&layout::revision(&self.0.name, digest)).await?;
            return push.precondition.require(&Reference::Digest(*digest), known);
        }
        self.0.tags().check(&push.tags, &push.precondition).await
    }

    /// Makes the manifest visible in the repository, if that has what it needs.
    async fn take_in(&self, digest: &Digest, manifest: &Manifest, bytes: &Bytes) -> Result<()> {
        self.0.state.quarantine.rescue(digest).await?;
        self.require_content(manifest).await?;
        self.store(digest, manifest, bytes.clone()).await
    }

    /// Checks that the repository has what the manifest needs, and keeps the collector from taking it.
    async fn require_content(&self, manifest: &Manifest) -> Result<()> {
        let required = &self.0.rules.required_content;
        let config = manifest.config().into_iter().map(|config| (config, true));
        let layers = manifest.layers().map(|layer| (layer, !required.may_lack_layers));
        let blobs = config.chain(layers).filter(|(blob, _)| !blob.may_be_elsewhere());
        let blobs = blobs.map(|(blob, is_required)| (blob.digest, false, is_required));
        let images = manifest.manifests().iter();
        let images = images.map(|image| (image.digest, true, required.images.includes(image)));
        let needed: Vec<_> = blobs.chain(images).collect();
        let checks = needed.into_iter().map(|(digest, is_manifest, is_required)| async move {
            let is_there = is_manifest && self.rely_on(&digest).await?
                || self.0.blobs().rely_on(&digest).await?.is_some();
            if is_there || !is_required || self.0.is_mirrored() {
                Ok(())
            } else {
                Err(Error::ManifestBlobUnknown(digest))
            }
        });
        stream::iter(checks).buffered(CONCURRENCY).try_collect().await
    }

    /// Writes the content first and what makes it visible last: an interrupted push leaves nothing that points nowhere.
    async fn store(&self, digest: &Digest, manifest: &Manifest, bytes: Bytes) -> Result<()> {
        let state = &self.0.state;
        self.note_media_type(digest, manifest.media_type(), &bytes).await?;
        let name = &self.0.name;
        let referrer = manifest.subject().map(|subject| layout::referrer(name, &subject.digest, digest));
        let revision = layout::revision(name, digest);
        let mut objects = vec![(layout::blob(digest), bytes)];
        objects.extend(links([revision].into_iter().chain(referrer).map(|link| (link, digest))));
        Ok(state.store.put_all(objects).await?)
    }
}
