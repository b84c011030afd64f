//! Archives as other programs write them, and what is in those that the registry writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::fixture::*;

/// The entries of an archive by name.
pub(crate) type Entries = BTreeMap<String, Vec<u8>>;

/// An OCI layout of these manifests, each with the annotation of its name, and of other content.
pub(crate) fn oci_layout(images: &[(&Value, Option<&str>)], content: &[&str]) -> Entries {
    let descriptors: Vec<_> = images
        .iter()
        .map(|(manifest, name)| {
            let mut descriptor = descriptor(manifest["mediaType"].as_str().unwrap(), &manifest.to_string());
            if let Some(name) = name {
                descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
            }
            descriptor
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "manifests": descriptors });
    let mut entries = Entries::from([
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index.to_string().into_bytes()),
    ]);
    let manifests = images.iter().map(|(manifest, _)| manifest.to_string());
    for blob in manifests.chain(content.iter().map(ToString::to_string)) {
        entries.insert(format!("blobs/sha256/{}", sha256(&blob).hex()), blob.into_bytes());
    }
    entries
}

/// An archive of `docker save` with one image.
pub(crate) fn docker_archive(names: &[&str], layers: &[&str]) -> Entries {
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("\"{}\"", sha256(layer))).collect();
    let config = format!(r#"{{"os":"linux","rootfs":{{"diff_ids":[{}]}}}}"#, diff_ids.join(","));
    let files: Vec<_> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": names, "Layers": files }]);
    let mut entries = Entries::from([
        ("config.json".to_owned(), config.into_bytes()),
        ("manifest.json".to_owned(), manifest.to_string().into_bytes()),
    ]);
    entries.extend(files.into_iter().zip(layers.iter().map(|layer| layer.as_bytes().to_vec())));
    entries
}

pub(crate) fn tar(entries: &Entries) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        append(&mut tar, name, content);
    }
    tar.into_inner().unwrap()
}

pub(crate) fn append(tar: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, content).unwrap();
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(crate) fn write_folder(folder: &Path, entries: &Entries) {
    for (name, content) in entries {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

pub(crate) fn read(path: &Path) -> Entries {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    });
    entries.collect()
}
