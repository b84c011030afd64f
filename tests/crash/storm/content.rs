//! Blobs, some of which all clients share, and the images that name them.

use fastrand::Rng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The repositories that all clients push to.
pub(crate) const REPOSITORIES: [&str; 3] = ["app", "team/app", "team/app/web"];

/// How many layers there are that all clients push, mount and skip.
const SHARED_LAYERS: u64 = 40;

/// The digest of `bytes` as text.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}

/// Any of the repositories.
pub(crate) fn repository(random: &mut Rng) -> &'static str {
    REPOSITORIES[random.usize(..REPOSITORIES.len())]
}

/// Bytes and their digest.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) bytes: Arc<[u8]>,
    /// Whether other clients may have it too.
    pub(crate) is_shared: bool,
}

impl Blob {
    fn of(bytes: Vec<u8>, is_shared: bool) -> Self {
        Self { digest: digest(&bytes), bytes: bytes.into(), is_shared }
    }

    /// A blob that nobody else has, of up to that many bytes.
    pub(crate) fn unique(random: &mut Rng, largest: usize) -> Self {
        let mut bytes = vec![0; random.usize(32..=largest)];
        random.fill(&mut bytes);
        Self::of(bytes, false)
    }

    /// Any of the layers that all clients share: from a few to some ten thousand bytes.
    pub(crate) fn shared(random: &mut Rng) -> Self {
        let number = random.u64(..SHARED_LAYERS);
        let length = 20 + usize::try_from(number).unwrap_or_default().pow(2) * 30;
        let mut bytes = vec![0; length];
        Rng::with_seed(number).fill(&mut bytes);
        Self::of(bytes, true)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

/// A manifest with everything that it names.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) digest: String,
    pub(crate) media_type: &'static str,
    pub(crate) manifest: Vec<u8>,
    pub(crate) blobs: Vec<Blob>,
    /// The images of an index.
    pub(crate) images: Vec<Self>,
    /// What it refers to.
    pub(crate) subject: Option<String>,
}

impl Image {
    /// An image whose config is the first of the blobs. No two have the same name.
    pub(crate) fn new(name: &str, blobs: Vec<Blob>, subject: Option<String>) -> Self {
        let layers = blobs.iter().skip(1);
        let layers = layers.map(|layer| layer.descriptor("application/vnd.oci.image.layer.v1.tar"));
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": IMAGE, "annotations": { "name": name },
            "config": blobs.first().map(|config| config.descriptor("application/vnd.oci.image.config.v1+json")),
            "layers": layers.collect::<Vec<_>>(),
        });
        if let Some(subject) = &subject {
            manifest["subject"] = json!({ "mediaType": IMAGE, "digest": subject, "size": 2 });
        }
        Self { blobs, subject, ..Self::with_manifest(IMAGE, &manifest) }
    }

    /// An index of these images.
    pub(crate) fn index(name: &str, images: Vec<Self>) -> Self {
        let descriptor = |image: &Self| json!({ "mediaType": IMAGE, "digest": image.digest, "size": image.manifest.len() });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": INDEX, "annotations": { "name": name },
            "manifests": images.iter().map(descriptor).collect::<Vec<_>>(),
        });
        Self { images, ..Self::with_manifest(INDEX, &manifest) }
    }

    fn with_manifest(media_type: &'static str, manifest: &Value) -> Self {
        let manifest = manifest.to_string().into_bytes();
        let digest = digest(&manifest);
        Self { digest, media_type, manifest, blobs: Vec::new(), images: Vec::new(), subject: None }
    }
}
