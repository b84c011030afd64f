//! The two forms in which a packed image leaves this program: an OCI image layout, and a docker-archive tar.

use super::{Image, MANIFEST_MEDIA_TYPE};
use crate::digest::sha256;
use anyhow::Result;
use serde_json::json;
use std::fs;
use std::path::Path;
use tar::{Builder, Header};
use tempfile::NamedTempFile;

/// OCI image layout specification, version 1.0.0: `oci-layout`, `index.json` and `blobs/sha256/…`.
pub(super) fn write_oci_layout(image: &Image, folder: &Path, name: &str) -> Result<()> {
    let blobs = folder.join("blobs/sha256");
    if blobs.exists() {
        fs::remove_dir_all(&blobs)?;
    }
    fs::create_dir_all(&blobs)?;
    for blob in [&image.layer.compressed, &image.config, &image.manifest] {
        fs::write(blobs.join(sha256(blob).trim_start_matches("sha256:")), blob)?;
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": MANIFEST_MEDIA_TYPE,
            "digest": image.digest(),
            "size": image.manifest.len(),
            "annotations": { "org.opencontainers.image.ref.name": name },
        }],
    });
    fs::write(folder.join("index.json"), serde_json::to_vec(&index)?)?;
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(())
}

/// The tar that `docker save` writes: `manifest.json`, the configuration and the plain layer.
pub(super) fn write_docker_archive(image: &Image, file: &Path, name: &str) -> Result<()> {
    let config_name = format!("{}.json", sha256(&image.config).trim_start_matches("sha256:"));
    let layer_name = format!("{}.tar", image.layer.diff_id.trim_start_matches("sha256:"));
    let index = json!([{ "Config": config_name, "RepoTags": [name], "Layers": [layer_name] }]);
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Renamed when it is whole: somebody may be reading the archive of an earlier run.
    let mut tar = Builder::new(NamedTempFile::new_in(folder)?);
    append(&mut tar, &layer_name, &image.layer.tar)?;
    append(&mut tar, &config_name, &image.config)?;
    append(&mut tar, "manifest.json", &serde_json::to_vec(&index)?)?;
    tar.into_inner()?.persist(file)?;
    Ok(())
}

fn append(tar: &mut Builder<NamedTempFile>, path: &str, content: &[u8]) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    Ok(tar.append_data(&mut header, path, content)?)
}
