//! Content descriptors: how one document points at another (image specification, descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, MediaType, Platform};

/// Type, digest and size of some content, and what else its referrer says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The kind of the content.
    pub media_type: MediaType,
    /// The address of the content.
    pub digest: Digest,
    /// The length of the content in bytes.
    pub size: u64,
    /// Where the content may be had besides the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// The kind of artifact, when the content is an artifact's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Free metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// What the content runs on, when it is an image of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Whether a registry may lack the content: the client fetches such a layer from elsewhere.
    pub fn may_be_elsewhere(&self) -> bool {
        self.media_type.is_nondistributable() || self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_with_urls_may_be_elsewhere() {
        let json = format!(
            r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:{}","size":1}}"#,
            "0".repeat(64)
        );
        let mut layer: Descriptor = serde_json::from_str(&json).unwrap();
        assert!(!layer.may_be_elsewhere());
        assert_eq!(serde_json::to_string(&layer).unwrap(), json);
        layer.urls = Some(vec!["https://example.com/layer".to_owned()]);
        assert!(layer.may_be_elsewhere());
    }
}
