//! Pushing blobs, in all forms that clients use.

use futures::{channel::oneshot, stream};
use hyper::{Method, StatusCode};

use crate::fixture::{Registry, absent, digest_of};

#[tokio::test]
async fn a_started_upload_tells_where_to_send_the_blob() {
    let answer = Registry::new().post("/v2/team/app/blobs/uploads/", "").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("range"), "0-0");
    let id = answer.header("docker-upload-uuid");
    let location = format!("http://hub.example.com/v2/team/app/blobs/uploads/{id}");
    assert_eq!(answer.header("location"), location);
}

#[tokio::test]
async fn a_blob_is_pushed_in_one_request() {
    let registry = Registry::new();
    let digest = registry.push_blob("app", b"whole").await;
    assert_eq!(registry.get(&format!("/v2/app/blobs/{digest}")).await.text(), "whole");
}

#[tokio::test]
async fn a_blob_is_streamed_and_then_named() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    let answer = registry.patch(&upload, "hello").await;
    assert_eq!((answer.status, answer.header("range")), (StatusCode::ACCEPTED, "0-4"));
    let digest = digest_of(b"hello");
    let answer = registry.put(&format!("{}?digest={digest}", answer.location_path()), "").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    assert_eq!(answer.location_path(), format!("/v2/app/blobs/{digest}"));
    assert_eq!(registry.get(&answer.location_path()).await.text(), "hello");
}

#[tokio::test]
async fn a_blob_may_come_whole_with_its_digest_at_the_end() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    let digest = digest_of(b"hello");
    let answer = registry.put(&format!("{upload}?digest={digest}"), "hello").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
}

#[tokio::test]
async fn chunks_follow_each_other_and_the_last_may_come_with_the_digest() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    for (range, chunk, end) in [("0-4", "01234", "0-4"), ("5-7", "567", "0-7")] {
        let answer = registry.send(Method::PATCH, &upload, &[("content-range", range)], chunk).await;
        assert_eq!((answer.status, answer.header("range")), (StatusCode::ACCEPTED, end), "{}", answer.text());
    }
    let path = format!("{upload}?digest={}", digest_of(b"0123456789"));
    let answer = registry.send(Method::PUT, &path, &[("content-range", "8-9")], "89").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
}

#[tokio::test]
async fn an_empty_chunk_leaves_the_upload_as_it_is() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    for (chunk, end) in [("", "0-0"), ("hello", "0-4"), ("", "0-4")] {
        let answer = registry.patch(&upload, chunk).await;
        assert_eq!((answer.status, answer.header("range")), (StatusCode::ACCEPTED, end), "{}", answer.text());
    }
    let finish = format!("{upload}?digest={}", digest_of(b"hello"));
    assert_eq!(registry.put(&finish, "").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_upload_takes_one_chunk_at_a_time() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    let (begun, has_begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    // Whoever asks for the body has the upload.
    let body = stream::once(async move {
        begun.send(()).unwrap();
        may_go_on.await.unwrap();
        Ok("hello".into())
    });
    let slow = registry.send_stream(Method::PATCH, &upload, body);
    let meanwhile = async {
        has_begun.await.unwrap();
        registry.patch(&upload, "").await.assert_error(409, "BLOB_UPLOAD_INVALID");
        go_on.send(()).unwrap();
    };
    let (slow, ()) = tokio::join!(slow, meanwhile);
    assert_eq!((slow.status, slow.header("range")), (StatusCode::ACCEPTED, "0-4"));
}

#[tokio::test]
async fn a_chunk_at_the_wrong_place_is_refused_with_the_right_one() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    registry.patch(&upload, "01234").await;
    let answer = registry.send(Method::PATCH, &upload, &[("content-range", "7-8")], "78").await;
    answer.assert_error(416, "RANGE_INVALID");
    assert_eq!(answer.header("range"), "0-4");
    let answer = registry.send(Method::PATCH, &upload, &[("content-range", "nonsense")], "78").await;
    answer.assert_error(416, "RANGE_INVALID");
}

#[tokio::test]
async fn an_upload_tells_how_far_it_is() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    registry.patch(&upload, "hello").await;
    let answer = registry.get(&upload).await;
    assert_eq!((answer.status, answer.header("range")), (StatusCode::NO_CONTENT, "0-4"));
    assert_eq!(answer.location_path(), upload);
}

#[tokio::test]
async fn a_wrong_digest_is_refused_and_stores_nothing() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    let answer = registry.put(&format!("{upload}?digest={}", absent()), "hello").await;
    answer.assert_error(400, "DIGEST_INVALID");
    registry.get(&format!("/v2/app/blobs/{}", absent())).await.assert_error(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn an_upload_without_its_digest_is_refused() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    registry.put(&upload, "hello").await.assert_error(400, "DIGEST_INVALID");
    registry.put(&format!("{upload}?digest=sha256:xyz"), "hello").await.assert_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    assert_eq!(registry.delete(&upload).await.status, StatusCode::NO_CONTENT);
    registry.get(&upload).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    registry.patch(&upload, "x").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_upload_with_an_id_of_no_form_is_unknown() {
    let registry = Registry::new();
    registry.get("/v2/app/blobs/uploads/nonsense").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository() {
    let registry = Registry::new();
    let digest = registry.push_blob("base", b"shared").await;
    let answer = registry.post(&format!("/v2/app/blobs/uploads/?mount={digest}&from=base"), "").await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.location_path(), format!("/v2/app/blobs/{digest}"));
    assert_eq!(registry.get(&answer.location_path()).await.text(), "shared");
}

#[tokio::test]
async fn a_blob_is_mounted_from_wherever_it_is() {
    let registry = Registry::new();
    let digest = registry.push_blob("some/base", b"shared").await;
    for query in [format!("mount={digest}"), format!("mount={digest}&from=")] {
        let answer = registry.post(&format!("/v2/app/blobs/uploads/?{query}"), "").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{query}");
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert_eq!(registry.get(&answer.location_path()).await.text(), "shared");
    }
}

#[tokio::test]
async fn a_mount_that_is_not_possible_becomes_an_upload() {
    let registry = Registry::new();
    for query in [
        format!("mount={}&from=base", absent()),
        format!("mount={}", absent()),
        format!("mount={}&from=", absent()),
        format!("mount={}&from=Not+A+Name", absent()),
        "mount=nonsense&from=base".to_owned(),
    ] {
        let answer = registry.post(&format!("/v2/app/blobs/uploads/?{query}"), "").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{query}");
        assert!(answer.headers.contains_key("docker-upload-uuid"));
    }
}

#[tokio::test]
async fn a_read_only_registry_takes_no_upload() {
    let registry = Registry::configured(&[("REGISTRY_STORAGE_MAINTENANCE_READONLY", "{enabled: true}")]);
    registry.post("/v2/app/blobs/uploads/", "").await.assert_error(405, "UNSUPPORTED");
}

#[tokio::test]
async fn with_a_shared_secret_the_address_says_how_far_the_upload_is() {
    let start = async |registry: Registry| {
        let started = registry.send(Method::POST, "/v2/app/blobs/uploads/", &[], "").await;
        started.header("location").to_owned()
    };
    assert!(!start(Registry::new()).await.contains('?'));
    let registry = Registry::configured(&[("REGISTRY_HTTP_SECRET", "0123")]);
    assert!(start(registry).await.contains("?_state="));
}

#[tokio::test]
async fn locations_follow_the_configuration() {
    let relative = Registry::configured(&[("REGISTRY_HTTP_RELATIVEURLS", "true")]);
    let answer = relative.post("/v2/app/blobs/uploads/", "").await;
    assert!(answer.header("location").starts_with("/v2/app/"));
    let fixed = Registry::configured(&[("REGISTRY_HTTP_HOST", "https://registry.example.com/")]);
    let answer = fixed.post("/v2/app/blobs/uploads/", "").await;
    assert!(answer.header("location").starts_with("https://registry.example.com/v2/app/"));
}

#[tokio::test]
async fn locations_follow_the_proxy() {
    let other = ("x-forwarded-host", "other.example.com");
    for headers in [
        &[("x-forwarded-proto", "https"), ("x-forwarded-host", "public.example.com")][..],
        &[("x-forwarded-proto", "https, http"), ("x-forwarded-host", "public.example.com, inner")],
        &[("forwarded", "proto=https;host=public.example.com"), other],
    ] {
        let answer = Registry::new().send(Method::POST, "/v2/app/blobs/uploads/", headers, "").await;
        let location = answer.header("location");
        assert!(location.starts_with("https://public.example.com/v2/app/"), "{headers:?}: {location}");
    }
}
