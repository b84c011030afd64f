//! Failures of the storage: what the client is told, and that it is told no more.

use std::os::unix::fs::symlink;

use hyper::StatusCode;

use crate::fixture::{Answer, Registry};

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
