//! Container images without a container engine: a layer, a configuration and a manifest, packed by this project.
//!
//! [`Recipe`] says what an image holds, [`Image`] is the packed result, and [`products`] are the two images that Berth
//! ships. The same input gives the same bytes, so an unchanged program keeps its digest.

mod archive;
mod layer;
pub mod products;
mod recipe;

pub use recipe::Recipe;

use crate::digest::sha256;
use anyhow::{Context, Result};
use layer::Layer;
use serde_json::{Value, json};
use std::path::Path;

const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_MEDIA_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_MEDIA_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A packed image of one layer, for the platform this program runs on.
#[derive(Debug)]
pub struct Image {
    layer: Layer,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    /// Packs what the recipe lists; reads the files that it names.
    pub fn pack(recipe: &Recipe) -> Result<Self> {
        let layer = Layer::pack(recipe)?;
        let config = serde_json::to_vec(&configuration(recipe, &layer))?;
        let manifest = serde_json::to_vec(&manifest(&config, &layer))?;
        Ok(Self { layer, config, manifest })
    }

    /// The digest of the manifest, as `sha256:…`.
    pub fn digest(&self) -> String {
        sha256(&self.manifest)
    }

    /// What a pull of this image transfers, in bytes.
    pub fn compressed_size(&self) -> usize {
        self.layer.compressed.len() + self.config.len() + self.manifest.len()
    }

    /// Writes an OCI image layout into `folder`, for `skopeo copy oci:FOLDER`; `name` is the reference it gets.
    pub fn write_oci_layout(&self, folder: &Path, name: &str) -> Result<()> {
        archive::write_oci_layout(self, folder, name)
            .with_context(|| format!("cannot write the OCI layout {}", folder.display()))
    }

    /// Writes a tar for `docker load`, `ctr images import` and `skopeo copy docker-archive:FILE`; `name` is its tag.
    pub fn write_docker_archive(&self, file: &Path, name: &str) -> Result<()> {
        archive::write_docker_archive(self, file, name)
            .with_context(|| format!("cannot write the image archive {}", file.display()))
    }
}

/// The image configuration of the OCI image specification.
fn configuration(recipe: &Recipe, layer: &Layer) -> Value {
    let ports: Value = recipe.exposed_ports.iter().map(|port| (format!("{port}/tcp"), json!({}))).collect();
    let volumes: Value = recipe.volumes.iter().map(|path| (format!("/{path}"), json!({}))).collect();
    json!({
        "architecture": architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": recipe.user,
            "Env": recipe.environment,
            "Entrypoint": recipe.entrypoint,
            "Cmd": recipe.arguments,
            "ExposedPorts": ports,
            "Volumes": volumes,
            "WorkingDir": "/",
            "Labels": recipe.labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "berth" }],
    })
}

fn manifest(config: &[u8], layer: &Layer) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "config": { "mediaType": CONFIG_MEDIA_TYPE, "digest": sha256(config), "size": config.len() },
        "layers": [{ "mediaType": LAYER_MEDIA_TYPE, "digest": layer.digest, "size": layer.compressed.len() }],
    })
}

/// The processor's name in Go's spelling, which image configurations use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe::new().text("etc/motd", "hello").directory("var/data", 65532).symlink("bin/tool", "other")
    }

    #[test]
    fn the_same_recipe_gives_the_same_digest() {
        let (first, second) = (Image::pack(&recipe()).unwrap(), Image::pack(&recipe()).unwrap());
        assert_eq!(first.digest(), second.digest());
    }

    #[test]
    fn another_file_gives_another_digest() {
        let changed = recipe().text("etc/hostname", "berth");
        assert_ne!(Image::pack(&recipe()).unwrap().digest(), Image::pack(&changed).unwrap().digest());
    }

    #[test]
    fn the_layout_names_the_manifest_and_holds_every_blob_under_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let image = Image::pack(&recipe()).unwrap();
        image.write_oci_layout(folder.path(), "app:1").unwrap();
        let index: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"][0]["digest"], image.digest());
        for blob in std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap() {
            let path = blob.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert_eq!(sha256(&std::fs::read(&path).unwrap()), format!("sha256:{name}"));
        }
    }
}
