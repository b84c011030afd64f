//! What all rows that read have in common: one repository with blobs of three sizes, and images to pull.

use super::{Blob, Image, Sizes, Tree};
use crate::load::Operation;
use crate::server::{Running, Target};
use anyhow::Result;
use std::fs;
use std::path::Path;

/// The repository.
pub(crate) const REPOSITORY: &str = "bench/app";
/// The tag of the image whose manifest is asked for.
pub(crate) const TAG: &str = "latest";
/// How many images there are to pull.
const IMAGES: usize = 20;

/// The content of that repository.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) blobs: Vec<Blob>,
    pub(crate) images: Vec<Image>,
}

impl Library {
    /// Writes it below a folder.
    pub(crate) fn write(root: &Path, sizes: &Sizes) -> Result<Self> {
        let tree = Tree::at(root);
        let blobs = sizes.blobs.iter().map(|size| tree.write_random(*size)).collect::<Result<Vec<_>>>()?;
        let mut images: Vec<_> = (0..IMAGES).map(|_| Image::random(&[sizes.layer; 5])).collect();
        let holder = blobs.iter().fold(Image::random(&[]), Image::with_layer);
        for (number, image) in images.iter().chain([&holder]).enumerate() {
            tree.enter(REPOSITORY, image)?;
            tree.tag(REPOSITORY, &format!("image-{number}"), &image.manifest_blob())?;
        }
        images.truncate(IMAGES);
        tree.tag(REPOSITORY, TAG, &images[0].manifest_blob())?;
        // The answer of nginx to what is no file of a registry.
        fs::write(root.join("base"), "{}")?;
        Ok(Self { blobs, images })
    }

    /// The manifest of the first image, by its tag.
    pub(crate) fn by_tag(&self) -> Target {
        self.images[0].manifest_blob().manifest_target(REPOSITORY, TAG)
    }

    /// The same by its digest.
    pub(crate) fn by_digest(&self) -> Target {
        let blob = self.images[0].manifest_blob();
        blob.manifest_target(REPOSITORY, &blob.digest)
    }

    /// The pulls of all images: their manifests, configurations and layers.
    pub(crate) fn pulls(&self, server: &Running, headers: &[String]) -> Vec<Operation> {
        let pull = |image: &Image| {
            let manifest = image.manifest_blob();
            let manifest = manifest.manifest_target(REPOSITORY, &manifest.digest);
            let blobs = image.blobs().iter().map(|blob| blob.target(REPOSITORY));
            std::iter::once(manifest)
                .chain(blobs)
                .map(|target| server.request("GET", &target, headers))
                .collect()
        };
        self.images.iter().map(pull).collect()
    }
}

/// `GET /v2/`.
pub(crate) fn base() -> Target {
    Target { api: "/v2/".into(), file: "base".into() }
}
