//! Occurrences: what a request did, in the words of the rules; and what an event says of it.

use berth_oci::{Digest, Manifest, MediaType, RepositoryName, Tag};

use super::event::{Action, Target};
use crate::repository::{BlobInfo, StoredManifest};

/// Something that a request did in a repository.
#[derive(Clone, Debug)]
pub enum Occurrence {
    /// A manifest was taken in, under a tag or by its digest alone.
    ManifestPushed(StoredManifest, Option<Tag>),
    /// A manifest was asked for, by a tag or by its digest.
    ManifestPulled(StoredManifest, Option<Tag>),
    /// A manifest was deleted.
    ManifestDeleted(Digest),
    /// A tag was deleted, alone or together with its manifest.
    TagDeleted(Tag),
    /// A blob was taken in.
    BlobPushed(BlobInfo),
    /// A blob, or a part of it, was asked for.
    BlobPulled(BlobInfo),
    /// A blob of another repository was made visible.
    BlobMounted(BlobInfo, RepositoryName),
    /// A blob was deleted.
    BlobDeleted(Digest),
    /// The whole repository was deleted.
    RepositoryDeleted,
}

/// Where the content of an event can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Among the manifests of the repository.
    Manifest(Digest),
    /// Among its blobs.
    Blob(Digest),
}

impl Occurrence {
    /// What was done.
    pub fn action(&self) -> Action {
        match self {
            Self::ManifestPushed(..) | Self::BlobPushed(_) => Action::Push,
            Self::ManifestPulled(..) | Self::BlobPulled(_) => Action::Pull,
            Self::BlobMounted(..) => Action::Mount,
            Self::ManifestDeleted(_)
            | Self::TagDeleted(_)
            | Self::BlobDeleted(_)
            | Self::RepositoryDeleted => Action::Delete,
        }
    }

    /// Where the content can be pulled; `None` after a deletion.
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::ManifestPushed(manifest, _) | Self::ManifestPulled(manifest, _) => {
                Some(Address::Manifest(manifest.digest))
            }
            Self::BlobPushed(blob) | Self::BlobPulled(blob) | Self::BlobMounted(blob, _) => {
                Some(Address::Blob(blob.digest))
            }
            Self::ManifestDeleted(_)
            | Self::TagDeleted(_)
            | Self::BlobDeleted(_)
            | Self::RepositoryDeleted => None,
        }
    }

    /// What an event says of it, but for the URL; with what a manifest refers to if that is wanted.
    pub fn target(&self, repository: &RepositoryName, with_references: bool) -> Target {
        let repository = repository.clone();
        match self {
            Self::ManifestPushed(manifest, tag) | Self::ManifestPulled(manifest, tag) => {
                manifest_target(repository, manifest, tag.clone(), with_references)
            }
            Self::ManifestDeleted(digest) | Self::BlobDeleted(digest) => {
                Target { digest: Some(*digest), ..Target::repository(repository) }
            }
            Self::TagDeleted(tag) => Target { tag: Some(tag.clone()), ..Target::repository(repository) },
            Self::BlobPushed(blob) | Self::BlobPulled(blob) => blob_target(repository, *blob),
            Self::BlobMounted(blob, from) => {
                Target { from_repository: Some(from.clone()), ..blob_target(repository, *blob) }
            }
            Self::RepositoryDeleted => Target::repository(repository),
        }
    }
}

fn manifest_target(
    repository: RepositoryName,
    manifest: &StoredManifest,
    tag: Option<Tag>,
    with_references: bool,
) -> Target {
    let size = manifest.bytes.len() as u64;
    let target = Target::content(repository, manifest.media_type.clone(), manifest.digest, size);
    let parsed = with_references.then(|| Manifest::parse(&manifest.bytes, Some(&manifest.media_type)).ok());
    let references = parsed.flatten().map_or_else(Vec::new, |manifest| {
        manifest.config().into_iter().chain(manifest.layers()).chain(manifest.manifests()).cloned().collect()
    });
    Target { tag, references, ..target }
}

/// A registry does not know what a blob is.
fn blob_target(repository: RepositoryName, blob: BlobInfo) -> Target {
    Target::content(repository, MediaType::default_of_blobs(), blob.digest, blob.size)
}
