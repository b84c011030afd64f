//! What is copied from and to: a registry, or the storage of one.

use berth_oci::{ByteRange, Descriptor, Digest, MediaType, Reference, RepositoryName, Tag};
use berth_storage::ByteStream;
use bytes::Bytes;
use futures::StreamExt as _;

use super::Result;
use crate::{
    repository::{Error as RepositoryError, Page, Registry},
    upstream::{self, EVERY_MANIFEST, Upload, Upstream},
};

/// A registry, or the storage of one.
#[derive(Debug, Clone)]
pub enum Place {
    /// A running registry, which is asked.
    Registry(Upstream),
    /// A storage, by the same rules as a push or a pull.
    Storage(Registry),
}

/// A manifest of either.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) bytes: Bytes,
    pub(super) media_type: MediaType,
    pub(super) digest: Digest,
}

/// What a mount comes to.
pub(super) enum Mounted {
    /// The blob is there now.
    Yes,
    /// It has to be sent, by the upload that has begun instead, if one has.
    No(Option<Upload>),
}

impl Place {
    /// Its repositories.
    pub async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        match self {
            Self::Registry(registry) => Ok(registry.catalog().await?),
            Self::Storage(storage) => Ok(storage.catalog(&Page::default(), |_| true).await?.items),
        }
    }

    pub(super) async fn tags(&self, name: &RepositoryName) -> Result<Vec<Tag>> {
        match self {
            Self::Registry(registry) => Ok(registry.tags(name).await?),
            Self::Storage(storage) => {
                Ok(storage.repository(name.clone()).tags().list(&Page::default()).await?.items)
            }
        }
    }

    /// What a reference points at, if it is there and the registry tells.
    pub(super) async fn digest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Digest>> {
        match self {
            Self::Registry(registry) => {
                let head = registry.head_manifest(name, reference, EVERY_MANIFEST, None).await;
                Ok(there(head)?.flatten().and_then(|head| head.digest))
            }
            Self::Storage(storage) => {
                let head = storage.repository(name.clone()).manifests().head(reference).await;
                Ok(stored(head)?.map(|manifest| manifest.digest))
            }
        }
    }

    pub(super) async fn manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Manifest>> {
        match self {
            Self::Registry(registry) => {
                let found = there(registry.manifest(name, reference, EVERY_MANIFEST).await)?;
                Ok(found.map(|it| Manifest { bytes: it.bytes, media_type: it.media_type, digest: it.digest }))
            }
            Self::Storage(storage) => {
                // Whoever is about to rely on it keeps it from being collected meanwhile.
                let found = stored(storage.repository(name.clone()).manifests().head(reference).await)?;
                Ok(found.map(|it| Manifest { bytes: it.bytes, media_type: it.media_type, digest: it.digest }))
            }
        }
    }

    pub(super) async fn put_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        manifest: &Manifest,
    ) -> Result<()> {
        let (media_type, bytes) = (&manifest.media_type, manifest.bytes.clone());
        match self {
            Self::Registry(registry) => {
                registry.put_manifest(name, reference, media_type, bytes).await?;
            }
            Self::Storage(storage) => {
                let repository = storage.repository(name.clone());
                repository.manifests().put(reference, Some(media_type), bytes).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Result<Vec<Descriptor>> {
        match self {
            Self::Registry(registry) => Ok(registry.referrers(name, subject).await?),
            Self::Storage(storage) => {
                let repository = storage.repository(name.clone());
                let (mut all, mut page) = (Vec::new(), Page::default());
                loop {
                    let listing = repository.referrers().list(subject, None, &page).await?;
                    all.extend(listing.items);
                    match listing.next {
                        None => return Ok(all),
                        last => page.last = last,
                    }
                }
            }
        }
    }

    pub(super) async fn has_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<bool> {
        match self {
            Self::Registry(registry) => Ok(registry.has_blob(name, digest).await?),
            Self::Storage(storage) => {
                Ok(stored(storage.repository(name.clone()).blobs().head(digest).await)?.is_some())
            }
        }
    }

    /// A blob from the byte `from` on, if it is there.
    pub(super) async fn blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        from: u64,
    ) -> Result<Option<ByteStream>> {
        match self {
            Self::Registry(registry) => {
                Ok(there(registry.blob(name, digest, from).await)?.map(|blob| blob.body))
            }
            Self::Storage(storage) => {
                let range = (from > 0).then_some(ByteRange::From(from));
                let opened = storage.repository(name.clone()).blobs().open(digest, range).await;
                Ok(stored(opened)?.map(|blob| blob.body.boxed()))
            }
        }
    }

    /// Takes a blob over from another repository of the same place.
    pub(super) async fn mount(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        from: &RepositoryName,
    ) -> Result<Mounted> {
        match self {
            Self::Registry(registry) => {
                let upload = registry.mount(name, digest, from).await?;
                Ok(upload.map_or(Mounted::Yes, |upload| Mounted::No(Some(upload))))
            }
            Self::Storage(storage) => {
                let mounted = storage.repository(name.clone()).blobs().mount(digest, from).await?;
                Ok(if mounted.is_some() { Mounted::Yes } else { Mounted::No(None) })
            }
        }
    }

    /// Takes a blob in, whose digest it verifies.
    pub(super) async fn take_blob(
        &self,
        name: &RepositoryName,
        blob: &Descriptor,
        begun: Option<Upload>,
        body: ByteStream,
    ) -> Result<()> {
        match self {
            Self::Registry(registry) => {
                let upload = match begun {
                    Some(upload) => upload,
                    None => registry.start_upload(name).await?,
                };
                let body = Some((Some(blob.size), body));
                registry.finish_upload(name, upload, &blob.digest, body).await?;
            }
            Self::Storage(storage) => {
                storage.repository(name.clone()).uploads().push_whole(&blob.digest, body).await?;
            }
        }
        Ok(())
    }

    /// Whether both are the same registry, so that blobs can be taken over from one repository to the other.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Registry(one), Self::Registry(other)) => one.server() == other.server(),
            _ => false,
        }
    }
}

/// What a registry has; `None` when it does not have it.
fn there<T>(answer: upstream::Result<T>) -> Result<Option<T>> {
    match answer {
        Err(error) if error.is_not_found() => Ok(None),
        answer => Ok(Some(answer?)),
    }
}

/// What a storage has; `None` when it does not have it.
fn stored<T>(answer: crate::repository::Result<T>) -> Result<Option<T>> {
    use RepositoryError::{BlobUnknown, ManifestUnknown, NameUnknown};
    match answer {
        Err(BlobUnknown(_) | ManifestUnknown(_) | NameUnknown(_)) => Ok(None),
        answer => Ok(Some(answer?)),
    }
}
