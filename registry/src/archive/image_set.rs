//! What an archive holds: images with their names, and where the bytes of each digest are.

use std::collections::HashMap;
use std::io::Read as _;

use berth_oci::{Digest, MediaType};
use bytes::Bytes;

use super::compression::Compression;
use super::image_name::ImageName;
use super::source::{Archive, Entry};
use super::{Result, docker, layout};

/// An image that the archive names or lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArchivedImage {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    /// Where it belongs; nowhere in particular when it has no name.
    pub(super) names: Vec<ImageName>,
    /// Its tag, when the archive gives it no repository.
    pub(super) tag: Option<berth_oci::Tag>,
}

/// A file of an archive that is found by another name than its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFile {
    pub(super) entry: String,
    /// How it is compressed. The digest is that of the decompressed bytes.
    pub(super) compression: Compression,
    /// How many bytes it has without compression.
    pub(super) size: u64,
}

/// All images of an archive.
#[derive(Debug, Default)]
pub(super) struct ImageSet {
    pub(super) images: Vec<ArchivedImage>,
    /// Manifests that were made here, because the archive has none.
    pub(super) manifests: HashMap<Digest, Bytes>,
    pub(super) files: HashMap<Digest, NamedFile>,
}

impl ImageSet {
    /// Reads what the archive holds. Of one that is in both formats the OCI layout counts, as it keeps digests.
    pub(super) fn read(archive: &Archive) -> Result<Self> {
        match layout::read(archive)? {
            Some(set) => Ok(set),
            None => docker::read(archive),
        }
    }

    /// The bytes of some content, if the archive has it.
    pub(super) fn find(&self, archive: &Archive, digest: &Digest) -> Result<Option<Entry>> {
        let Some(file) = self.files.get(digest) else {
            return archive.find(&blob_entry(digest));
        };
        let content = file.compression.decompress(archive.require(&file.entry)?.content);
        Ok(Some(Entry { size: file.size, content: Box::new(content.take(file.size)) }))
    }

    /// The bytes of a manifest, if the archive has it.
    pub(super) fn manifest(&self, archive: &Archive, digest: &Digest) -> Result<Option<Bytes>> {
        if let Some(made) = self.manifests.get(digest) {
            return Ok(Some(made.clone()));
        }
        let name = blob_entry(digest);
        if archive.find(&name)?.is_none() {
            return Ok(None);
        }
        archive.bytes(&name).map(|bytes| Some(bytes.into()))
    }
}

/// Where an OCI layout keeps content.
pub(super) fn blob_entry(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}
