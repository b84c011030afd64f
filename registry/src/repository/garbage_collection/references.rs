//! What a manifest names.

use berth_oci::{Digest, Manifest, mentioned_digests};

/// What the collector needs to know of a manifest.
#[derive(Debug, Default)]
pub(super) struct References {
    /// The manifests of an index.
    pub(super) manifests: Vec<Digest>,
    /// All other content that it needs; everything that it mentions, when it cannot be understood.
    pub(super) blobs: Vec<Digest>,
    /// The manifest that it refers to as its subject.
    pub(super) subject: Option<Digest>,
    /// Its length in bytes.
    pub(super) size: u64,
}

impl References {
    /// Reads a manifest. What cannot be understood keeps everything that it mentions.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let manifest = Manifest::parse(bytes, None).ok().filter(|manifest| !manifest.is_opaque());
        let Some(manifest) = manifest else {
            return Self { blobs: mentioned_digests(bytes), size: bytes.len() as u64, ..Self::default() };
        };
        let mut blobs: Vec<_> = manifest.references().collect();
        if Manifest::named_media_type(bytes).is_none() {
            // The client may have said that it is of another kind.
            blobs.extend(mentioned_digests(bytes));
        }
        Self {
            manifests: manifest.manifests().iter().map(|child| child.digest).collect(),
            blobs,
            subject: manifest.subject().map(|subject| subject.digest),
            size: bytes.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_cannot_be_understood_keeps_what_it_mentions() {
        let [one, two] = [1, 2].map(|number| Digest::sha256([number; 32]));
        let references = References::read(format!("{{\"layers\": 5, \"x\": \"{one}\"}}").as_bytes());
        assert_eq!(references.blobs, [one]);
        let unnamed = format!(r#"{{"schemaVersion": 2, "manifests": [], "parts": ["{two}"]}}"#);
        assert_eq!(References::read(unnamed.as_bytes()).blobs, [two]);
    }
}
