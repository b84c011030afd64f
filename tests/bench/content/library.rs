//! What all rows that read have in common: one repository with blobs of three sizes, and images to pull.

use super::{Blob, Image, Sizes, Tree};
use crate::load::Operation;
use crate::server::{Running, Target};
use anyhow::{Context as _, Result};
use std::cell::OnceCell;
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
    tree: Tree,
    sizes: [u64; 3],
    blobs: [OnceCell<Blob>; 3],
    pub(crate) images: Vec<Image>,
}

impl Library {
    /// Writes it below a folder, except for the blobs.
    pub(crate) fn write(root: &Path, sizes: &Sizes) -> Result<Self> {
        let tree = Tree::at(root);
        let images: Vec<_> = (0..IMAGES).map(|_| Image::random(&[sizes.layer; 5])).collect();
        for (number, image) in images.iter().enumerate() {
            tree.enter(REPOSITORY, image)?;
            tree.tag(REPOSITORY, &format!("image-{number}"), &image.manifest_blob())?;
        }
        tree.tag(REPOSITORY, TAG, &images[0].manifest_blob())?;
        // The answer of nginx to what is no file of a registry.
        fs::write(root.join(base().file), "{}")?;
        Ok(Self { tree, sizes: sizes.blobs, blobs: Default::default(), images })
    }

    /// The size of one of the blobs.
    pub(crate) fn size(&self, number: usize) -> u64 {
        self.sizes[number]
    }

    /// One of the blobs. It is written when somebody asks for it first: the largest takes seconds.
    pub(crate) fn blob(&self, number: usize) -> Result<&Blob> {
        let cell = &self.blobs[number];
        if cell.get().is_none() {
            let blob = self.tree.write_random(self.sizes[number])?;
            self.tree.link_layer(REPOSITORY, &blob)?;
            cell.get_or_init(|| blob);
        }
        cell.get().context("it has just been written")
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
