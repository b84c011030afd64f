//! Requests that no honest client sends.

use hyper::{Method, StatusCode};

use crate::fixture::{OCI_MANIFEST, Registry, absent, digest_of};

#[tokio::test]
async fn a_name_that_climbs_or_is_no_text_is_refused() {
    let registry = Registry::new();
    for name in
        ["..", "a/../b", "%2e%2e", "%2E%2E%2Fetc", "a%2F..%2Fb", "a%2F%2Fb", "_uploads", "a%00b", "%FF"]
    {
        for rest in ["tags/list", "manifests/latest", &format!("blobs/{}", absent())] {
            let path = format!("/v2/{name}/{rest}");
            registry.get(&path).await.assert_error(400, "NAME_INVALID");
        }
        let path = format!("/v2/{name}/blobs/uploads/");
        registry.post(&path, "").await.assert_error(400, "NAME_INVALID");
    }
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused() {
    let name = "a".repeat(256);
    Registry::new().get(&format!("/v2/{name}/tags/list")).await.assert_error(400, "NAME_INVALID");
}

#[tokio::test]
async fn a_tag_that_climbs_or_is_no_text_names_nothing() {
    let registry = Registry::new();
    let image = registry.image("app", "one").await.to_string();
    let long = "x".repeat(129);
    for tag in ["..", "%2E%2E", "..%2F..%2Fblobs", "a%2Fb", "a%00", "%20", "-x", long.as_str()] {
        let path = format!("/v2/app/manifests/{tag}");
        registry.get(&path).await.assert_error(404, "MANIFEST_UNKNOWN");
        registry.delete(&path).await.assert_error(404, "MANIFEST_UNKNOWN");
        let headers = [("content-type", OCI_MANIFEST)];
        let answer = registry.send(Method::PUT, &path, &headers, image.clone()).await;
        answer.assert_error(400, "TAG_INVALID");
    }
}

#[tokio::test]
async fn a_digest_that_climbs_or_is_none_is_refused() {
    let registry = Registry::new();
    let climbing = format!("sha256:{}", "..%2F".repeat(22));
    let upper = absent().to_string().to_uppercase().replace("SHA256", "sha256");
    for digest in
        [climbing.as_str(), &upper, "sha256:", "sha256%3A..", "md5:d41d8cd98f00b204e9800998ecf8427e"]
    {
        registry.get(&format!("/v2/app/blobs/{digest}")).await.assert_error(400, "DIGEST_INVALID");
        registry.get(&format!("/v2/app/manifests/{digest}")).await.assert_error(400, "DIGEST_INVALID");
        registry.get(&format!("/v2/app/referrers/{digest}")).await.assert_error(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn an_upload_of_another_repository_is_unknown() {
    let registry = Registry::new();
    let upload = registry.start_upload("theirs").await;
    registry.patch(&upload, "secret").await;
    let guessed = upload.replace("/theirs/", "/mine/");
    registry.get(&guessed).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    registry.patch(&guessed, "x").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    registry.delete(&guessed).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    let finish = format!("{guessed}?digest={}", digest_of(b"secret"));
    registry.put(&finish, "").await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(registry.get(&upload).await.header("range"), "0-5");
}

#[tokio::test]
async fn an_upload_that_is_guessed_or_climbs_is_unknown() {
    let registry = Registry::new();
    registry.start_upload("app").await;
    for id in ["00000000-0000-0000-0000-000000000000", "..", "%2E%2E", "..%2F..%2F_manifests", "a%FFb"] {
        let path = format!("/v2/app/blobs/uploads/{id}");
        let answer = registry.get(&path).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{id}: {answer:?}");
        assert!(["BLOB_UPLOAD_UNKNOWN", "NAME_INVALID"].contains(&answer.code().as_str()), "{id}");
        assert!(registry.patch(&path, "x").await.status.is_client_error());
    }
}

#[tokio::test]
async fn a_chunk_of_another_length_than_its_range_is_refused() {
    let registry = Registry::new();
    for chunk in ["012", "0123456"] {
        let upload = registry.start_upload("app").await;
        let answer = registry.send(Method::PATCH, &upload, &[("content-range", "0-4")], chunk).await;
        answer.assert_error(400, "SIZE_INVALID");
    }
}

#[tokio::test]
async fn a_blob_whose_body_breaks_off_is_not_kept_and_the_upload_goes_on() {
    let registry = Registry::new();
    let whole = format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"hello"));
    registry.send_broken(Method::POST, &whole, "hel").await.assert_error(400, "BLOB_UPLOAD_INVALID");
    registry.get(&format!("/v2/app/blobs/{}", digest_of(b"hello"))).await.assert_error(404, "BLOB_UNKNOWN");

    let upload = registry.start_upload("app").await;
    registry.send_broken(Method::PATCH, &upload, "hel").await.assert_error(400, "BLOB_UPLOAD_INVALID");
    assert_eq!(registry.get(&upload).await.header("range"), "0-2");
    let finish = format!("{upload}?digest={}", digest_of(b"hello"));
    assert_eq!(registry.put(&finish, "lo").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_manifest_whose_body_breaks_off_is_refused() {
    let registry = Registry::new();
    let answer = registry.send_broken(Method::PUT, "/v2/app/manifests/latest", "{\"schemaVersion\"").await;
    answer.assert_error(400, "MANIFEST_INVALID");
}

#[tokio::test]
async fn an_upload_whose_digest_is_wrong_is_gone() {
    let registry = Registry::new();
    let upload = registry.start_upload("app").await;
    registry.put(&format!("{upload}?digest={}", absent()), "hello").await.assert_error(400, "DIGEST_INVALID");
    registry.get(&upload).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    let whole = format!("/v2/app/blobs/uploads/?digest={}", absent());
    registry.post(&whole, "hello").await.assert_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a_query_that_is_no_text_does_no_harm() {
    let registry = Registry::new();
    registry.push_image("app", "latest").await;
    for query in ["n=%FF", "n=-1", "n=99999999999999999999", "n=1;last=2", "n=0x10"] {
        for path in ["/v2/app/tags/list", "/v2/_catalog"] {
            let answer = registry.get(&format!("{path}?{query}")).await;
            answer.assert_error(400, "PAGINATION_NUMBER_INVALID");
        }
    }
    let answer = registry.get("/v2/app/tags/list?last=..%2F..%2F&n=5").await;
    assert_eq!(answer.status, StatusCode::OK);
}
