//! Pulling and deleting blobs.

use hyper::{Method, StatusCode};

use crate::fixture::{Registry, absent};

const BYTES: &[u8] = b"0123456789";

async fn with_blob() -> (Registry, String) {
    let registry = Registry::new();
    let digest = registry.push_blob("team/app", BYTES).await;
    (registry, format!("/v2/team/app/blobs/{digest}"))
}

#[tokio::test]
async fn a_blob_comes_back_with_its_digest_and_length() {
    let (registry, path) = with_blob().await;
    let answer = registry.get(&path).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, BYTES));
    assert_eq!(answer.header("content-length"), "10");
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert!(path.ends_with(answer.header("docker-content-digest")));
    assert_eq!(answer.header("etag"), format!("\"{}\"", answer.header("docker-content-digest")));
    assert_eq!(answer.header("cache-control"), "max-age=31536000");
}

#[tokio::test]
async fn the_head_of_a_blob_has_its_length_and_no_body() {
    let (registry, path) = with_blob().await;
    let answer = registry.head(&path).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(answer.header("content-length"), "10");
    assert!(path.ends_with(answer.header("docker-content-digest")));
}

#[tokio::test]
async fn a_range_gives_the_part_that_was_asked_for() {
    let (registry, path) = with_blob().await;
    for (range, part, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let answer = registry.send(Method::GET, &path, &[("range", range)], "").await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::PARTIAL_CONTENT, part), "{range}");
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("content-length"), part.len().to_string());
        assert!(path.ends_with(answer.header("docker-content-digest")));
    }
}

#[tokio::test]
async fn a_range_without_any_byte_of_the_blob_is_refused_with_the_length() {
    let (registry, path) = with_blob().await;
    for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=4-2"] {
        let answer = registry.send(Method::GET, &path, &[("range", range)], "").await;
        answer.assert_error(416, "RANGE_INVALID");
        assert_eq!(answer.header("content-range"), "bytes */10", "{range}");
    }
}

#[tokio::test]
async fn a_range_that_cannot_be_read_or_has_several_parts_gives_the_whole_blob() {
    let (registry, path) = with_blob().await;
    for range in ["bytes=0-1,3-4", "lines=1-2", "bytes=a-b"] {
        let answer = registry.send(Method::GET, &path, &[("range", range)], "").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, BYTES), "{range}");
    }
}

#[tokio::test]
async fn a_blob_that_the_client_has_is_not_sent_again() {
    let (registry, path) = with_blob().await;
    let tag = registry.head(&path).await.header("etag").to_owned();
    for method in [Method::GET, Method::HEAD] {
        let answer = registry.send(method, &path, &[("if-none-match", &tag)], "").await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("cache-control"), "max-age=31536000");
        assert!(path.ends_with(answer.header("docker-content-digest")));
    }
}

#[tokio::test]
async fn a_blob_that_is_gone_is_not_found_even_if_the_client_has_it() {
    let (registry, path) = with_blob().await;
    registry.delete(&path).await;
    for method in [Method::GET, Method::HEAD] {
        let answer = registry.send(method, &path, &[("if-none-match", "*")], "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_part_is_sent_only_to_who_has_the_other_part_of_the_same_blob() {
    let (registry, path) = with_blob().await;
    let tag = registry.head(&path).await.header("etag").to_owned();
    for (only_of, expected) in [
        (tag.as_str(), StatusCode::PARTIAL_CONTENT),
        ("\"another\"", StatusCode::OK),
        ("Sun, 06 Nov 1994 08:49:37 GMT", StatusCode::OK),
    ] {
        let headers = [("range", "bytes=2-4"), ("if-range", only_of)];
        let answer = registry.send(Method::GET, &path, &headers, "").await;
        assert_eq!(answer.status, expected, "{only_of}");
    }
}

#[tokio::test]
async fn an_unknown_blob_is_not_found() {
    let (registry, _) = with_blob().await;
    let path = format!("/v2/team/app/blobs/{}", absent());
    registry.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
    assert_eq!(registry.head(&path).await.status, StatusCode::NOT_FOUND);
    registry.delete(&path).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_blob_of_another_repository_is_not_found() {
    let (registry, path) = with_blob().await;
    let other = path.replace("team/app", "team/other");
    registry.get(&other).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_malformed_digest_is_told() {
    let registry = Registry::new();
    registry.get("/v2/app/blobs/sha256:xyz").await.assert_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a_deleted_blob_is_gone() {
    let (registry, path) = with_blob().await;
    assert_eq!(registry.delete(&path).await.status, StatusCode::ACCEPTED);
    registry.get(&path).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn deletion_is_refused_unless_it_is_switched_on() {
    let registry = Registry::configured(&[("REGISTRY_STORAGE_DELETE_ENABLED", "false")]);
    let digest = registry.push_blob("app", BYTES).await;
    let answer = registry.delete(&format!("/v2/app/blobs/{digest}")).await;
    answer.assert_error(405, "UNSUPPORTED");
    assert!(answer.text().contains("storage.delete.enabled"));
}

#[tokio::test]
async fn a_manifest_is_also_a_blob() {
    let registry = Registry::new();
    let digest = registry.push_image("app", "latest").await;
    assert_eq!(registry.get(&format!("/v2/app/blobs/{digest}")).await.status, StatusCode::OK);
}
