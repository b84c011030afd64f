//! Layers that clients fetch from elsewhere: the configuration says from where they may come.

use serde_json::json;

use crate::fixture::{OCI_CONFIG, OCI_MANIFEST, Registry, absent, descriptor};

const LAYER: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/// Pushes an image whose layer is at a URL, and returns status and code.
async fn push(registry: &Registry, url: &str) -> (u16, Option<String>) {
    registry.push_blob("windows", b"{}").await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, b"{}"),
        "layers": [{ "mediaType": LAYER, "digest": absent().to_string(), "size": 1, "urls": [url] }],
    });
    let answer = registry.push_manifest("windows", "latest", &manifest).await;
    (answer.status.as_u16(), (!answer.status.is_success()).then(|| answer.code()))
}

#[tokio::test]
async fn a_layer_may_be_anywhere_when_nothing_is_configured() {
    assert_eq!(push(&Registry::new(), "https://anywhere.example.com/layer").await, (201, None));
}

#[tokio::test]
async fn a_layer_may_be_where_the_configuration_allows_it_and_nowhere_else() {
    let registry = Registry::configured(&[
        ("REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW", "['^https://([^/]+[.])*example[.]com/']"),
        ("REGISTRY_VALIDATION_MANIFESTS_URLS_DENY_0", "/secret/"),
    ]);
    let invalid = (400, Some("MANIFEST_INVALID".to_owned()));
    assert_eq!(push(&registry, "https://layers.example.com/1").await, (201, None));
    assert_eq!(push(&registry, "https://layers.example.com/secret/1").await, invalid);
    assert_eq!(push(&registry, "https://example.org/1").await, invalid);
}
