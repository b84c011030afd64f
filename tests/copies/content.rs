//! What is copied: images that share a layer, an index of two of them, and a signature.

use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::digest::sha256;
use berth_tests::registry_process::program;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The folder of a registry with images, and room for files.
pub(crate) struct Content {
    folder: TempDir,
    /// The digest of the image that is signed.
    pub(crate) signed: String,
    /// The digest of its signature.
    pub(crate) signature: String,
}

impl Content {
    /// So many images `app:0`, `app:1` and so on with a layer of `size` bytes each, and `multi:latest`.
    pub(crate) fn new(images: usize, size: usize) -> Result<Self> {
        let mut content = Self { folder: TempDir::new()?, signed: String::new(), signature: String::new() };
        content.write(images, size)?;
        let mut import = Command::new(program()?);
        succeed(import.arg("import").arg("--root").arg(content.data()).arg(content.path("layout")))?;
        Ok(content)
    }

    /// The folder of the registry.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&mut self, images: usize, size: usize) -> Result<()> {
        let layout = self.path("layout");
        fs::create_dir_all(layout.join("blobs/sha256"))?;
        let mut listed = Vec::new();
        for number in 0..images {
            let layer = vec![u8::try_from(number % 251)?; size];
            let image = image(&layout, &[b"shared layer", layer.as_slice()], None)?;
            listed.push(named(&image, &format!("app:{number}")));
        }
        let children: Vec<Value> = listed.iter().take(2).map(unnamed).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
        let index = blob(&layout, INDEX, index.to_string().as_bytes())?;
        listed.push(named(&index, "multi:latest"));
        let signed = unnamed(&listed[0]);
        let signature = image(&layout, &[b"signature"], Some(&signed))?;
        let digest = |descriptor: &Value| descriptor["digest"].as_str().unwrap_or_default().to_owned();
        (self.signed, self.signature) = (digest(&signed), digest(&signature));
        listed.push(named(&signature, &format!("app@{}", self.signature)));
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let index = json!({"schemaVersion": 2, "manifests": listed});
        Ok(fs::write(layout.join("index.json"), index.to_string())?)
    }
}

fn named(descriptor: &Value, name: &str) -> Value {
    let mut named = descriptor.clone();
    named["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    named
}

fn unnamed(descriptor: &Value) -> Value {
    json!({
        "mediaType": descriptor["mediaType"], "digest": descriptor["digest"], "size": descriptor["size"],
    })
}

fn image(layout: &Path, layers: &[&[u8]], subject: Option<&Value>) -> Result<Value> {
    let config = blob(layout, "application/vnd.oci.image.config.v1+json", b"{}")?;
    let layer = |bytes: &&[u8]| blob(layout, "application/vnd.oci.image.layer.v1.tar", bytes);
    let layers = layers.iter().map(layer).collect::<Result<Vec<_>>>()?;
    let mut image = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers});
    if let Some(subject) = subject {
        image["subject"] = subject.clone();
    }
    blob(layout, IMAGE, image.to_string().as_bytes())
}

fn blob(layout: &Path, media_type: &str, bytes: &[u8]) -> Result<Value> {
    let digest = sha256(bytes);
    fs::write(layout.join("blobs").join(digest.replace(':', "/")), bytes)?;
    Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
}
