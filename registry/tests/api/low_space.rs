//! A storage with less room than is to be kept free.

use hyper::StatusCode;
use serde_json::json;

use crate::fixture::{Registry, digest_of};

/// More than any disk has.
const RESERVE: (&str, &str) = ("REGISTRY_SPACE_RESERVE", "1000000TiB");
const NOTHING: (&str, &str) = ("REGISTRY_SPACE_RESERVE", "0");

#[tokio::test]
async fn pushes_are_refused_in_words_that_say_how_much_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let before = Registry::configured_over_folder(&[NOTHING], folder.path());
    let manifest = before.image("app", "1").await;
    let upload = before.start_upload("app").await;
    let registry = Registry::configured_over_folder(&[RESERVE], folder.path());
    for refused in [
        registry.post("/v2/app/blobs/uploads/", "").await,
        registry.post(&format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"x")), "x").await,
        registry.patch(&upload, "x").await,
        registry.put(&format!("{upload}?digest={}", digest_of(b"y")), "y").await,
        registry.push_manifest("app", "1", &manifest).await,
    ] {
        refused.assert_error(403, "DENIED");
        let error = &refused.json()["errors"][0];
        assert_eq!(error["detail"]["reserve"], json!(1_000_000_u64 << 40));
        assert!(error["detail"]["free"].is_u64(), "{error}");
        assert!(
            error["message"].as_str().unwrap().contains("the last 1000000.0 TiB are kept back"),
            "{error}"
        );
        assert!(!refused.text().contains(folder.path().to_str().unwrap()), "no path is told: {error}");
    }
}

#[tokio::test]
async fn pulls_and_deletions_go_on_and_the_probe_tells_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let before = Registry::configured_over_folder(&[NOTHING], folder.path());
    let digest = before.push_image("app", "1").await;
    assert_eq!(before.get("/readyz").await.text(), "ok\n");
    let registry = Registry::configured_over_folder(&[RESERVE], folder.path());
    assert_eq!(registry.get("/v2/").await.status, StatusCode::OK);
    assert_eq!(registry.get("/v2/app/manifests/1").await.status, StatusCode::OK);
    let ready = registry.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert!(ready.text().contains("pushes are refused"), "{}", ready.text());
    assert_eq!(registry.delete(&format!("/v2/app/manifests/{digest}")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn an_upload_that_is_refused_before_its_body_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let before = Registry::configured_over_folder(&[NOTHING], folder.path());
    let upload = before.start_upload("app").await;
    before.patch(&upload, "first ").await;
    let refusing = Registry::configured_over_folder(&[RESERVE], folder.path());
    refusing.patch(&upload, "second").await.assert_error(403, "DENIED");
    let digest = digest_of(b"first second");
    let finished = before.put(&format!("{upload}?digest={digest}"), "second").await;
    assert_eq!(finished.status, StatusCode::CREATED, "{}", finished.text());
}
