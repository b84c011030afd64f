//! Pushing, pulling and deleting manifests.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Registry, absent, descriptor, digest_of};

#[tokio::test]
async fn a_pushed_manifest_comes_back_byte_by_byte_under_its_tag_and_its_digest() {
    let registry = Registry::new();
    let manifest = registry.image("team/app", "one").await;
    let digest = digest_of(manifest.to_string().as_bytes());
    let pushed = registry.push_manifest("team/app", "latest", &manifest).await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.text());
    assert_eq!(pushed.header("docker-content-digest"), digest.to_string());
    assert_eq!(pushed.location_path(), format!("/v2/team/app/manifests/{digest}"));
    for reference in ["latest".to_owned(), digest.to_string()] {
        let answer = registry.get(&format!("/v2/team/app/manifests/{reference}")).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, manifest.to_string()));
        assert_eq!(answer.header("content-type"), OCI_MANIFEST);
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    }
}

#[tokio::test]
async fn the_head_of_a_manifest_has_type_length_and_digest() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    let answer = registry.head("/v2/app/manifests/latest").await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(answer.header("content-type"), OCI_MANIFEST);
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    assert!(answer.header("content-length").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_manifest_that_the_client_has_is_not_sent_again() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    for tag in [format!("\"{digest}\""), digest.to_string()] {
        let path = "/v2/app/manifests/latest";
        for method in [Method::GET, Method::HEAD] {
            let answer = registry.send(method, path, &[("if-none-match", &tag)], "").await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
        }
    }
}

#[tokio::test]
async fn an_unknown_manifest_is_not_found() {
    let registry = Registry::new();
    registry.push_image("app", "latest").await;
    for reference in ["other", ".INVALID_MANIFEST_NAME", &absent().to_string()] {
        let path = format!("/v2/app/manifests/{reference}");
        registry.get(&path).await.assert_error(404, "MANIFEST_UNKNOWN");
        assert_eq!(registry.head(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_manifest_of_missing_blobs_is_refused() {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, b"{}"),
        "layers": [descriptor(OCI_LAYER, b"never pushed")],
    });
    let answer = Registry::new().push_manifest("app", "latest", &manifest).await;
    answer.assert_error(404, "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_under_a_digest_that_is_not_its_own_is_refused() {
    let registry = Registry::new();
    let manifest = registry.image("app", "one").await;
    let answer = registry.push_manifest("app", &absent().to_string(), &manifest).await;
    answer.assert_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn an_invalid_tag_is_told_when_it_is_pushed() {
    let registry = Registry::new();
    let manifest = registry.image("app", "one").await;
    registry.push_manifest("app", ".hidden", &manifest).await.assert_error(400, "TAG_INVALID");
}

#[tokio::test]
async fn a_manifest_that_is_too_large_is_refused() {
    let registry = Registry::new();
    let body = vec![b' '; 64 * 1024 + 1];
    registry.put("/v2/app/manifests/latest", body).await.assert_error(413, "SIZE_INVALID");
}

#[tokio::test]
async fn a_manifest_with_a_subject_tells_that_its_referrers_are_kept() {
    let registry = Registry::new();
    let subject = registry.push_image("app", "latest").await;
    let mut manifest = registry.image("app", "signature").await;
    manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": subject.to_string(), "size": 2 });
    let answer = registry.push_manifest("app", "signature", &manifest).await;
    assert_eq!(answer.header("oci-subject"), subject.to_string());
}

#[tokio::test]
async fn a_deleted_manifest_is_gone_with_its_tags() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    let path = format!("/v2/app/manifests/{digest}");
    assert_eq!(registry.delete(&path).await.status, StatusCode::ACCEPTED);
    registry.get(&path).await.assert_error(404, "MANIFEST_UNKNOWN");
    registry.get("/v2/app/manifests/latest").await.assert_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_repository_without_manifests_has_no_tags_while_it_has_blobs() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    assert_eq!(registry.delete(&format!("/v2/app/manifests/{digest}")).await.status, StatusCode::ACCEPTED);
    assert_eq!(registry.get("/v2/app/tags/list").await.json(), json!({ "name": "app", "tags": [] }));
}

#[tokio::test]
async fn a_deleted_tag_leaves_the_manifest() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    assert_eq!(registry.delete("/v2/app/manifests/latest").await.status, StatusCode::ACCEPTED);
    registry.get("/v2/app/manifests/latest").await.assert_error(404, "MANIFEST_UNKNOWN");
    assert_eq!(registry.get(&format!("/v2/app/manifests/{digest}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_manifest_is_not_deleted_unless_deletion_is_switched_on() {
    let registry = Registry::configured(&[("REGISTRY_STORAGE_DELETE_ENABLED", "false")]);
    let digest = registry.push_image("app", "latest").await;
    registry.delete(&format!("/v2/app/manifests/{digest}")).await.assert_error(405, "UNSUPPORTED");
}
