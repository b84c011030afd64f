//! Listing what refers to a manifest.

use hyper::StatusCode;
use serde_json::json;

use crate::fixture::{OCI_INDEX, OCI_MANIFEST, Registry, absent, descriptor, digest_of};

async fn with_signature() -> (Registry, String, String) {
    let registry = Registry::new();
    let subject = registry.push_image("app", "latest").await.to_string();
    let signature = push_signature(&registry, &subject, "signature").await;
    (registry, subject, signature)
}

/// Pushes a signature of `subject`, told from others by `word`, and returns its digest.
async fn push_signature(registry: &Registry, subject: &str, word: &str) -> String {
    let mut manifest = registry.image("app", word).await;
    manifest["artifactType"] = json!("application/vnd.example+signature");
    manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": subject, "size": 2 });
    let signature = digest_of(manifest.to_string().as_bytes()).to_string();
    assert_eq!(registry.push_manifest("app", &signature, &manifest).await.status, StatusCode::CREATED);
    signature
}

async fn digests_at(registry: &Registry, path: &str) -> Vec<String> {
    let index = registry.get(path).await.json();
    let manifests = index["manifests"].as_array().unwrap();
    manifests.iter().map(|descriptor| descriptor["digest"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn referrers_are_listed_as_an_index() {
    let (registry, subject, signature) = with_signature().await;
    let answer = registry.get(&format!("/v2/app/referrers/{subject}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, OCI_INDEX));
    let index = answer.json();
    assert_eq!(index["schemaVersion"], 2);
    assert_eq!(index["manifests"][0]["digest"], signature);
    assert_eq!(index["manifests"][0]["artifactType"], "application/vnd.example+signature");
}

#[tokio::test]
async fn a_filter_is_applied_and_told() {
    let (registry, subject, _) = with_signature().await;
    let path = |artifact_type: &str| format!("/v2/app/referrers/{subject}?artifactType={artifact_type}");
    let answer = registry.get(&path("application/vnd.example%2Bsignature")).await;
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

#[tokio::test]
async fn pages_are_linked_and_keep_the_filter() {
    let (registry, subject, first) = with_signature().await;
    let mut signatures = [first, push_signature(&registry, &subject, "second").await];
    signatures.sort();
    let filter = "artifactType=application%2Fvnd.example%2Bsignature";
    let path = format!("/v2/app/referrers/{subject}?n=1&{filter}");
    let answer = registry.get(&path).await;
    let next = format!("/v2/app/referrers/{subject}?{filter}&n=1&last={}", signatures[0]);
    assert_eq!(answer.header("link"), format!("<{next}>; rel=\"next\""));
    assert_eq!(digests_at(&registry, &path).await, signatures[..1]);
    assert_eq!(digests_at(&registry, &next).await, signatures[1..]);
    assert!(registry.get(&next).await.headers.get("link").is_none());
}

#[tokio::test]
async fn a_fallback_tag_counts_until_it_is_deleted() {
    let registry = Registry::new();
    let subject = registry.push_image("app", "latest").await;
    let listed = registry.image("app", "listed").await;
    let bytes = listed.to_string();
    registry.push_manifest("app", "listed", &listed).await;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_MANIFEST, bytes.as_bytes())],
    });
    let tag = format!("sha256-{}", subject.hex());
    registry.push_manifest("app", &tag, &index).await;
    let path = format!("/v2/app/referrers/{subject}");
    assert_eq!(digests_at(&registry, &path).await, [digest_of(bytes.as_bytes()).to_string()]);
    registry.delete(&format!("/v2/app/manifests/{tag}")).await;
    assert!(digests_at(&registry, &path).await.is_empty());
}

#[tokio::test]
async fn a_deleted_referrer_is_no_longer_listed() {
    let (registry, subject, signature) = with_signature().await;
    registry.delete(&format!("/v2/app/manifests/{signature}")).await;
    assert!(digests_at(&registry, &format!("/v2/app/referrers/{subject}")).await.is_empty());
}

#[tokio::test]
async fn a_rebuild_tells_how_much_it_has_mended() {
    let guarded = crate::authorization::Guarded::new();
    let admin = guarded.user("admin");
    let subject = admin.push_image("app", "latest").await.to_string();
    push_signature(&admin, &subject, "signature").await;
    let path = "/v2/_berth/referrers/rebuild";
    let answer = admin.post(path, "").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "added": 0, "removed": 0 })));
    guarded.user("ci").post(path, "").await.assert_error(403, "DENIED");
}
