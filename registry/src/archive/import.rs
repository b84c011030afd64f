//! Takes images of an archive into a registry, by the same rules as a push.
//!
//! All content and all manifests are pushed by their digests first, and the tags last: an archive that turns out to
//! be wrong changes no tag.

use std::collections::HashSet;

use berth_oci::{Descriptor, Digest, Manifest, MediaType, Reference, RepositoryName, Tag};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::base::{BASE, Omissions};
use super::body::stream_of;
use super::image_name::ImageName;
use super::image_set::{ArchivedImage, ImageSet, blob_entry};
use super::places::{ImportOptions, places};
use super::source::Archive;
use super::{Error, Progress, Result};
use crate::repository::{Error as RepositoryError, Registry, Repository};

/// How deep indexes may list indexes.
const DEEPEST: usize = 8;

/// An image that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// Where it is.
    pub repository: RepositoryName,
    /// Its tag; none for an image that the archive does not name, such as a signature.
    pub tag: Option<Tag>,
    /// Its manifest.
    pub digest: Digest,
}

/// Takes all images of the archive in. `progress` is told of the bytes of blobs.
pub async fn import(
    registry: &Registry,
    archive: &Archive,
    options: &ImportOptions,
    progress: Progress,
) -> Result<Vec<Imported>> {
    let set = ImageSet::read(archive)?;
    let places = places(&set, archive, options)?;
    let omissions = archive.document::<Omissions>(BASE)?;
    let mut push = Push { archive, set: &set, omissions, progress, pushed: HashSet::new() };
    for (image, place) in &places {
        let repository = registry.repository(place.repository.clone());
        push.manifest(&repository, image.digest, Some(&image.media_type), 0).await?;
    }
    let mut imported = Vec::new();
    for (image, ImageName { repository, tag }) in places {
        if let Some(tag) = &tag {
            push.tag(&registry.repository(repository.clone()), image, tag).await?;
        }
        imported.push(Imported { repository, tag, digest: image.digest });
    }
    Ok(imported)
}

struct Push<'a> {
    archive: &'a Archive,
    set: &'a ImageSet,
    /// What was left out because an earlier archive has it.
    omissions: Option<Omissions>,
    progress: Progress,
    pushed: HashSet<(RepositoryName, Digest)>,
}

impl Push<'_> {
    /// Pushes a manifest by its digest, after everything that it needs.
    fn manifest<'b>(
        &'b mut self,
        repository: &'b Repository,
        digest: Digest,
        media_type: Option<&'b MediaType>,
        depth: usize,
    ) -> BoxFuture<'b, Result<()>> {
        async move {
            let entry = blob_entry(&digest);
            if depth > DEEPEST {
                return Err(Error::invalid(&entry, "too many indexes are nested"));
            }
            if !self.pushed.insert((repository.name().clone(), digest)) {
                return Ok(());
            }
            let bytes =
                self.set.manifest(self.archive, &digest)?.ok_or_else(|| Error::Missing(entry.clone()))?;
            let manifest =
                Manifest::parse(&bytes, media_type).map_err(|error| Error::invalid(&entry, error))?;
            for child in manifest.manifests() {
                self.child(repository, child, depth).await?;
            }
            for blob in manifest.config().into_iter().chain(manifest.layers()) {
                self.blob(repository, &digest, blob).await?;
            }
            self.put(repository, &Reference::Digest(digest), digest, media_type, bytes).await
        }
        .boxed()
    }

    /// Pushes what an index lists, if the archive has it: archives may hold the images of some platforms only.
    async fn child(&mut self, repository: &Repository, child: &Descriptor, depth: usize) -> Result<()> {
        if self.set.find(self.archive, &child.digest)?.is_none() {
            return Ok(());
        }
        if child.media_type.is_image() || child.media_type.is_index() {
            return self.manifest(repository, child.digest, Some(&child.media_type), depth + 1).await;
        }
        // Some build caches list their layers in an index.
        self.blob(repository, &child.digest, child).await
    }

    async fn blob(&self, repository: &Repository, manifest: &Digest, blob: &Descriptor) -> Result<()> {
        let digest = &blob.digest;
        match repository.blobs().head(digest).await {
            Ok(_) => return Ok(()),
            Err(RepositoryError::BlobUnknown(_)) => {}
            Err(error) => return Err(refused(repository, &Reference::Digest(*digest), error)),
        }
        let Some(entry) = self.set.find(self.archive, digest)? else {
            return self.omitted(repository, manifest, blob).await;
        };
        if entry.size != blob.size {
            let reason = format!("it has {} bytes, and its manifest says {}", entry.size, blob.size);
            return Err(Error::invalid(&blob_entry(digest), reason));
        }
        let body = stream_of(entry.content, self.progress.clone());
        match repository.uploads().push_whole(digest, body).await {
            Ok(_) => Ok(()),
            Err(error @ RepositoryError::DigestMismatch { .. }) => {
                Err(Error::invalid(&blob_entry(digest), error))
            }
            Err(error) => Err(refused(repository, &Reference::Digest(*digest), error)),
        }
    }

    /// A blob that the archive lacks: an earlier one brought it into another repository, or a client has it from elsewhere.
    async fn omitted(&self, repository: &Repository, manifest: &Digest, blob: &Descriptor) -> Result<()> {
        let digest = &blob.digest;
        let home = self.omissions.as_ref().and_then(|omissions| omissions.blobs.get(digest));
        let refused = |error| refused(repository, &Reference::Digest(*digest), error);
        if let Some(home) = home
            && repository.blobs().mount(digest, home).await.map_err(refused)?.is_none()
            // The images of the earlier archive may have been given another name.
            && repository.blobs().mount_from_any(digest, |_| true).await.map_err(refused)?.is_none()
        {
            return Err(Error::NoBase { part: *digest });
        }
        if home.is_some() || blob.may_be_elsewhere() {
            return Ok(());
        }
        Err(Error::Incomplete { manifest: *manifest, part: Box::new(*digest) })
    }

    async fn tag(&self, repository: &Repository, image: &ArchivedImage, tag: &Tag) -> Result<()> {
        let bytes = self.set.manifest(self.archive, &image.digest)?;
        let bytes = bytes.ok_or_else(|| Error::Missing(blob_entry(&image.digest)))?;
        let reference = Reference::Tag(tag.clone());
        self.put(repository, &reference, image.digest, Some(&image.media_type), bytes).await
    }

    async fn put(
        &self,
        repository: &Repository,
        reference: &Reference,
        digest: Digest,
        media_type: Option<&MediaType>,
        bytes: Bytes,
    ) -> Result<()> {
        match repository.manifests().put(reference, media_type, bytes).await {
            Ok(_) => Ok(()),
            Err(RepositoryError::ManifestBlobUnknown(part)) => {
                Err(Error::Incomplete { manifest: digest, part: Box::new(part) })
            }
            Err(error @ RepositoryError::DigestMismatch { .. }) => {
                Err(Error::invalid(&blob_entry(&digest), error))
            }
            Err(error) => Err(refused(repository, reference, error)),
        }
    }
}

fn refused(repository: &Repository, reference: &Reference, source: RepositoryError) -> Error {
    Error::Repository { name: ImageName::written(repository.name(), reference), source }
}
