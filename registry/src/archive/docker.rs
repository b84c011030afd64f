//! What `docker save` writes: `manifest.json`, which names configs and layers.
//!
//! Such an archive has no manifests, so they are made here, always the same from the same archive: layers are kept
//! uncompressed under the digests that the config promises (`rootfs.diff_ids`), and so verified by them. Were they
//! compressed, the digest of an image would depend on the version of the compressor, and two sites that take in one
//! archive would have two images.

use std::io::{self, Read};

use berth_oci::{Algorithm, Digest, MediaType};
use serde::{Deserialize, Serialize};

use super::compression::Compression;
use super::image_name::ImageName;
use super::image_set::{ArchivedImage, ImageSet, NamedFile};
use super::source::Archive;
use super::{Error, Result};
use crate::repository::digest_of;

pub(super) const MANIFEST: &str = "manifest.json";

/// The config of a Docker image.
pub(super) const CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";

/// An uncompressed layer of a Docker image.
const LAYER_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// One image in `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Item {
    pub(super) config: String,
    pub(super) repo_tags: Option<Vec<String>>,
    pub(super) layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<Digest>>,
}

/// The manifest that is made of an image. Its fields have this order for good, as its digest depends on it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u64,
    media_type: &'static str,
    config: Part,
    layers: Vec<Part>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    media_type: &'static str,
    size: u64,
    digest: Digest,
}

/// The images of an archive of Docker.
pub(super) fn read(archive: &Archive) -> Result<ImageSet> {
    let Some(items) = archive.document::<Vec<Item>>(MANIFEST)? else { return Err(Error::UnknownFormat) };
    let mut set = ImageSet::default();
    for item in items {
        let (digest, media_type) = add_image(archive, &item, &mut set)?;
        let names = item.repo_tags.unwrap_or_default();
        let invalid = |name: &String| Error::invalid(MANIFEST, format!("{name:?} is no name of an image"));
        let names = names.iter().map(|name| ImageName::parse(name).ok_or_else(|| invalid(name)));
        set.images.push(ArchivedImage {
            digest,
            media_type,
            names: names.collect::<Result<_>>()?,
            tag: None,
        });
    }
    Ok(set)
}

/// Makes the manifest of an image, and notes where its parts are.
fn add_image(archive: &Archive, item: &Item, set: &mut ImageSet) -> Result<(Digest, MediaType)> {
    let config = archive.bytes(&item.config)?;
    let read: Config =
        serde_json::from_slice(&config).map_err(|error| Error::invalid(&item.config, error))?;
    let layers = item.layers.as_deref().unwrap_or_default();
    let diff_ids = read.rootfs.diff_ids.unwrap_or_default();
    if diff_ids.len() != layers.len() {
        let (told, found) = (diff_ids.len(), layers.len());
        let reason = format!("the number of layers is {found} here, and {told} in the config");
        return Err(Error::invalid(MANIFEST, reason));
    }
    let config_digest = digest_of(Algorithm::Sha256, &config);
    let size = config.len() as u64;
    let compression = Compression::None;
    set.files.insert(config_digest, NamedFile { entry: item.config.clone(), compression, size });
    let mut descriptors = Vec::new();
    for (entry, digest) in layers.iter().zip(diff_ids) {
        let size = add_layer(archive, entry, digest, set)?;
        descriptors.push(Part { media_type: LAYER_TYPE, size, digest });
    }
    let config = Part { media_type: CONFIG_TYPE, size, digest: config_digest };
    let manifest =
        Manifest { schema_version: 2, media_type: MediaType::DOCKER_IMAGE, config, layers: descriptors };
    let manifest = serde_json::to_vec(&manifest).map_err(|error| Error::invalid(MANIFEST, error))?;
    let digest = digest_of(Algorithm::Sha256, &manifest);
    set.manifests.insert(digest, manifest.into());
    let media_type = MediaType::DOCKER_IMAGE.parse().map_err(|error| Error::invalid(MANIFEST, error))?;
    Ok((digest, media_type))
}

/// Notes where a layer is, and returns its length without compression.
fn add_layer(archive: &Archive, entry: &str, digest: Digest, set: &mut ImageSet) -> Result<u64> {
    let mut file = archive.require(entry)?;
    let mut beginning = [0; Compression::TELLING];
    let length = file.content.read(&mut beginning).map_err(|error| Error::invalid(entry, error))?;
    let compression = Compression::of(&beginning[..length]);
    let size = if compression == Compression::None {
        file.size
    } else {
        let mut content = compression.decompress(archive.require(entry)?.content);
        io::copy(&mut content, &mut io::sink()).map_err(|error| Error::invalid(entry, error))?
    };
    set.files.insert(digest, NamedFile { entry: entry.to_owned(), compression, size });
    Ok(size)
}
