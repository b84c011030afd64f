//! What an image is made of: its manifests, configs and layers, found by following its manifest.

use std::collections::{HashSet, VecDeque};

use berth_oci::{Descriptor, Digest, Manifest, Reference};
use serde::Serialize;

use super::{Error, Manifests, Result, StoredManifest};

/// What a part is to the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A manifest that an index lists.
    Manifest,
    /// The config of a manifest.
    Config,
    /// A layer of an image, or a blob of an artifact.
    Layer,
}

/// One part of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is to the image.
    pub role: Role,
    /// Its type, digest and size, as the manifest says that needs it.
    #[serde(flatten)]
    pub descriptor: Descriptor,
}

/// An image with its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The manifest that was asked for.
    pub manifest: StoredManifest,
    /// Everything that it leads to, each part once: the manifests of an index before what they need.
    pub parts: Vec<Part>,
}

impl Contents {
    /// The length of the manifest and of all parts, in bytes.
    pub fn size(&self) -> u64 {
        let parts = self.parts.iter().map(|part| part.descriptor.size);
        parts.fold(self.manifest.bytes.len() as u64, u64::saturating_add)
    }
}

impl Manifests<'_> {
    /// The manifest and everything that it leads to.
    ///
    /// A manifest that an index lists and that the repository lacks is a part without parts. Whether the blobs
    /// are there is not looked at.
    pub async fn contents(&self, reference: &Reference) -> Result<Contents> {
        let manifest = self.get(reference).await?;
        let mut walk = Walk::default();
        walk.seen.insert(manifest.digest);
        walk.follow(&manifest.bytes);
        while let Some(digest) = walk.ahead.pop_front() {
            match self.get(&Reference::Digest(digest)).await {
                Ok(child) => walk.follow(&child.bytes),
                Err(Error::ManifestUnknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Contents { manifest, parts: walk.parts })
    }
}

#[derive(Default)]
struct Walk {
    seen: HashSet<Digest>,
    ahead: VecDeque<Digest>,
    parts: Vec<Part>,
}

impl Walk {
    /// Takes in what a manifest needs. One that cannot be understood needs nothing that could be named.
    fn follow(&mut self, bytes: &[u8]) {
        let Ok(manifest) = Manifest::parse(bytes, None) else { return };
        for child in manifest.manifests() {
            if self.add(Role::Manifest, child) {
                self.ahead.push_back(child.digest);
            }
        }
        if let Some(config) = manifest.config() {
            self.add(Role::Config, config);
        }
        for layer in manifest.layers() {
            self.add(Role::Layer, layer);
        }
    }

    fn add(&mut self, role: Role, descriptor: &Descriptor) -> bool {
        let is_new = self.seen.insert(descriptor.digest);
        if is_new {
            self.parts.push(Part { role, descriptor: descriptor.clone() });
        }
        is_new
    }
}
