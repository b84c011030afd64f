//! Failures of the storage: what the client is told, and that it is told no more.

use std::os::unix::fs::symlink;

use hyper::StatusCode;

use crate::fixture::{Answer, Registry, digest_of};

/// Nothing of the inside of the server is in the answer but the id of the request.
fn assert_tells_the_request_only(answer: &Answer) {
    let error = &answer.json()["errors"][0];
    assert_eq!(error["detail"]["requestId"], answer.header("x-request-id"));
    assert!(!answer.text().contains("docker/registry"), "{}", answer.text());
}

#[tokio::test]
async fn a_storage_that_refuses_is_an_unknown_error() {
    // A path that is longer than the system allows.
    let folder = format!("/nowhere/{}", "long/".repeat(1000));
    let answer = Registry::over_folder(folder.as_ref()).get("/v2/app/manifests/latest").await;
    answer.assert_error(500, "UNKNOWN");
    assert_tells_the_request_only(&answer);
}

#[tokio::test]
async fn a_storage_that_does_not_answer_is_to_be_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let tag = folder.path().join("docker/registry/v2/repositories/app/_manifests/tags/latest/current");
    std::fs::create_dir_all(&tag).unwrap();
    symlink("link", tag.join("link")).unwrap();
    let answer = Registry::over_folder(folder.path()).get("/v2/app/manifests/latest").await;
    answer.assert_error(503, "UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), "5");
    assert_tells_the_request_only(&answer);
}

#[tokio::test]
async fn a_push_whose_last_step_failed_succeeds_when_it_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let upload = registry.start_upload("app").await;
    assert_eq!(registry.patch(&upload, "hello").await.status, StatusCode::ACCEPTED);
    let links = folder.path().join("docker/registry/v2/repositories/app/_layers");
    symlink("_layers", &links).unwrap();
    let digest = digest_of(b"hello");
    let last = format!("{upload}?digest={digest}");
    registry.put(&last, "").await.assert_error(503, "UNAVAILABLE");
    assert_eq!(registry.get(&upload).await.header("range"), "0-4");

    std::fs::remove_file(links).unwrap();
    assert_eq!(registry.put(&last, "").await.status, StatusCode::CREATED);
    registry.patch(&upload, "more").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(registry.get(&format!("/v2/app/blobs/{digest}")).await.text(), "hello");
    registry.get(&upload).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_push_whose_last_chunk_came_with_its_failed_end_may_send_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let upload = registry.start_upload("app").await;
    assert_eq!(registry.patch(&upload, "hello ").await.status, StatusCode::ACCEPTED);
    let links = folder.path().join("docker/registry/v2/repositories/app/_layers");
    symlink("_layers", &links).unwrap();
    let last = format!("{upload}?digest={}", digest_of(b"hello world"));
    registry.put(&last, "world").await.assert_error(503, "UNAVAILABLE");

    std::fs::remove_file(links).unwrap();
    assert_eq!(registry.get(&upload).await.header("range"), "0-10");
    assert_eq!(registry.put(&last, "world").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_push_that_could_not_become_content_may_be_sent_again_as_a_whole_or_not_at_all() {
    for again in ["hello", ""] {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::over_folder(folder.path());
        let upload = registry.start_upload("app").await;
        let blobs = folder.path().join("docker/registry/v2/blobs");
        symlink("blobs", &blobs).unwrap();
        let last = format!("{upload}?digest={}", digest_of(b"hello"));
        registry.put(&last, "hello").await.assert_error(503, "UNAVAILABLE");
        assert_eq!(registry.get(&upload).await.header("range"), "0-4");

        std::fs::remove_file(blobs).unwrap();
        assert_eq!(registry.put(&last, again).await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn who_knows_a_digest_and_not_the_content_gets_no_blob_by_an_upload() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let digest = registry.push_blob("secret", b"hello world").await;
    let upload = registry.start_upload("app").await;
    let last = format!("{upload}?digest={digest}");
    registry.put(&last, "").await.assert_error(400, "DIGEST_INVALID");
    registry.get(&format!("/v2/app/blobs/{digest}")).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_storage_that_is_full_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::over_folder(folder.path());
    let upload = registry.start_upload("app").await;
    let id = upload.rsplit('/').next().unwrap();
    let data = format!("docker/registry/v2/repositories/app/_uploads/{id}/data");
    symlink("/dev/full", folder.path().join(data)).unwrap();
    let answer = registry.patch(&upload, "hello").await;
    answer.assert_error(507, "UNAVAILABLE");
    assert_tells_the_request_only(&answer);
    assert_eq!(registry.get("/v2/").await.status, StatusCode::OK);
}
