//! Images of random bytes.

use crate::server::Target;
use berth_tests::digest::sha256;
use serde_json::json;

/// The media type of every manifest here.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What a blob is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// A manifest and what it names.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The configuration first, then the layers.
    contents: Vec<Vec<u8>>,
    blobs: Vec<Blob>,
    pub(crate) manifest: Vec<u8>,
}

impl Blob {
    fn of(content: &[u8]) -> Self {
        Self { digest: sha256(content), size: content.len() as u64 }
    }

    /// The digest without its algorithm.
    pub(crate) fn hex(&self) -> &str {
        self.digest.trim_start_matches("sha256:")
    }

    /// The file of its content, below the root of a storage.
    pub(crate) fn file(&self) -> String {
        let hex = self.hex();
        format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])
    }

    /// Where it is to be had, as a blob.
    pub(crate) fn target(&self, repository: &str) -> Target {
        Target { api: format!("/v2/{repository}/blobs/{}", self.digest), file: self.file() }
    }

    /// Where it is to be had, as a manifest, by its tag or its digest.
    pub(crate) fn manifest_target(&self, repository: &str, reference: &str) -> Target {
        Target { api: format!("/v2/{repository}/manifests/{reference}"), file: self.file() }
    }
}

impl Image {
    /// An image with layers of these sizes.
    pub(crate) fn random(layers: &[usize]) -> Self {
        let mut contents = vec![configuration()];
        contents.extend(layers.iter().map(|size| {
            let mut layer = vec![0; *size];
            fastrand::fill(&mut layer);
            layer
        }));
        let blobs = contents.iter().map(|content| Blob::of(content)).collect::<Vec<_>>();
        let manifest = manifest(&blobs);
        Self { contents, blobs, manifest }
    }

    /// The configuration and the layers.
    pub(crate) fn contents(&self) -> &[Vec<u8>] {
        &self.contents
    }

    /// What these are known by.
    pub(crate) fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    pub(crate) fn manifest_blob(&self) -> Blob {
        Blob::of(&self.manifest)
    }
}

fn configuration() -> Vec<u8> {
    let number = format!("{:032x}", fastrand::u128(..));
    let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": {"number": number}},
        "rootfs": {"type": "layers", "diff_ids": []}});
    config.to_string().into_bytes()
}

/// As long as those of usual images are.
fn manifest(blobs: &[Blob]) -> Vec<u8> {
    let describe = |kind: &str, blob: &Blob| json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": blob.digest, "size": blob.size});
    let layers: Vec<_> = blobs[1..].iter().map(|blob| describe("layer.v1.tar", blob)).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": describe("config.v1+json", &blobs[0]),
        "layers": layers, "annotations": {"org.example.description": "a".repeat(1000)}});
    manifest.to_string().into_bytes()
}

/// Bytes in hexadecimal digits after a prefix.
pub(super) fn hex(prefix: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(prefix.to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
