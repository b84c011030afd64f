//! The earlier archive that another one goes on from: `base.json` says which blobs were left out because of it.
//!
//! Manifests are never left out, so that an archive tells by itself what has to be there. Nor does it matter how many
//! archives lie between: each says of all blobs that it lacks where the site has them.

use std::collections::{BTreeMap, HashSet};

use berth_oci::{Algorithm, Digest, Manifest, RepositoryName};
use serde::{Deserialize, Serialize};

use super::image_set::{ImageSet, blob_entry};
use super::source::Archive;
use super::{Error, Result, layout};
use crate::repository::digest_of;

/// The name of the document.
pub(super) const BASE: &str = "base.json";

/// The blobs of which an archive says that the site has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Which archive it was: the digest of its index.
    pub(super) index: Digest,
    pub(super) blobs: BTreeMap<Digest, RepositoryName>,
}

/// What stands in the document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Omissions {
    /// The digest of the earlier archive's index.
    pub(super) base: Digest,
    /// What was left out, and a repository that has it.
    pub(super) blobs: BTreeMap<Digest, RepositoryName>,
}

impl Base {
    /// What a site has once it has taken the archive in, and those that it goes on from itself.
    pub fn read(archive: &Archive) -> Result<Self> {
        let index = archive.bytes(layout::INDEX)?;
        let set = ImageSet::read(archive)?;
        let before = archive.document::<Omissions>(BASE)?.map(|omissions| omissions.blobs);
        let mut walk = Walk { archive, before: before.unwrap_or_default(), blobs: BTreeMap::new() };
        for image in &set.images {
            for name in &image.names {
                walk.follow(image.digest, &name.repository)?;
            }
        }
        Ok(Self { index: digest_of(Algorithm::Sha256, &index), blobs: walk.blobs })
    }
}

struct Walk<'a> {
    archive: &'a Archive,
    before: BTreeMap<Digest, RepositoryName>,
    blobs: BTreeMap<Digest, RepositoryName>,
}

impl Walk<'_> {
    /// Notes the blobs of a manifest and of those that it lists.
    fn follow(&mut self, manifest: Digest, repository: &RepositoryName) -> Result<()> {
        let (mut ahead, mut seen) = (vec![manifest], HashSet::new());
        while let Some(digest) = ahead.pop() {
            let entry = blob_entry(&digest);
            if !seen.insert(digest) || self.archive.find(&entry)?.is_none() {
                continue;
            }
            let bytes = self.archive.bytes(&entry)?;
            let document = Manifest::parse(&bytes, None).map_err(|error| Error::invalid(&entry, error))?;
            for blob in document.config().into_iter().chain(document.layers()) {
                self.note(blob.digest, repository)?;
            }
            for child in document.manifests() {
                if child.media_type.is_image() || child.media_type.is_index() {
                    ahead.push(child.digest);
                } else {
                    self.note(child.digest, repository)?;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, blob: Digest, repository: &RepositoryName) -> Result<()> {
        if self.before.contains_key(&blob) || self.archive.find(&blob_entry(&blob))?.is_some() {
            self.blobs.entry(blob).or_insert_with(|| repository.clone());
        }
        Ok(())
    }
}
