//! Listing what refers to a manifest.

use hyper::StatusCode;
use serde_json::json;

use crate::fixture::{OCI_INDEX, OCI_MANIFEST, Registry, absent, digest_of};

async fn with_signature() -> (Registry, String, String) {
    let registry = Registry::new();
    let subject = registry.push_image("app", "latest").await.to_string();
    let mut manifest = registry.image("app", "signature").await;
    manifest["artifactType"] = json!("application/vnd.example.signature");
    manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": subject, "size": 2 });
    let signature = digest_of(manifest.to_string().as_bytes()).to_string();
    assert_eq!(registry.push_manifest("app", &signature, &manifest).await.status, StatusCode::CREATED);
    (registry, subject, signature)
}

#[tokio::test]
async fn referrers_are_listed_as_an_index() {
    let (registry, subject, signature) = with_signature().await;
    let answer = registry.get(&format!("/v2/app/referrers/{subject}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, OCI_INDEX));
    let index = answer.json();
    assert_eq!(index["schemaVersion"], 2);
    assert_eq!(index["manifests"][0]["digest"], signature);
    assert_eq!(index["manifests"][0]["artifactType"], "application/vnd.example.signature");
}

#[tokio::test]
async fn a_filter_is_applied_and_told() {
    let (registry, subject, _) = with_signature().await;
    let path = |artifact_type: &str| format!("/v2/app/referrers/{subject}?artifactType={artifact_type}");
    let answer = registry.get(&path("application/vnd.example.signature")).await;
    assert_eq!(answer.header("oci-filters-applied"), "artifactType");
    assert_eq!(answer.json()["manifests"].as_array().unwrap().len(), 1);
    let answer = registry.get(&path("application/vnd.example.sbom")).await;
    assert_eq!(answer.json()["manifests"], json!([]));
}

#[tokio::test]
async fn what_nothing_refers_to_has_an_empty_index() {
    let answer = Registry::new().get(&format!("/v2/app/referrers/{}", absent())).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, OCI_INDEX));
    assert_eq!(answer.json()["manifests"], json!([]));
}

#[tokio::test]
async fn a_malformed_digest_is_told() {
    Registry::new().get("/v2/app/referrers/latest").await.assert_error(400, "DIGEST_INVALID");
}
