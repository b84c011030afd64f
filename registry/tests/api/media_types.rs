//! Manifests of kinds that nobody here knows: taken in and served as they are.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Answer, OCI_MANIFEST, Registry, digest_of};

const UNKNOWN: &str = "application/vnd.example.manifest.v7+json";

async fn push(registry: &Registry, content_type: &str, body: &str) -> Answer {
    let headers = [("content-type", content_type)];
    registry.send(Method::PUT, "/v2/app/manifests/latest", &headers, body.to_owned()).await
}

#[tokio::test]
async fn a_manifest_that_names_an_unknown_type_comes_back_under_it() {
    let registry = Registry::new();
    let body = json!({ "mediaType": UNKNOWN, "layers": "none of yours" }).to_string();
    assert_eq!(push(&registry, UNKNOWN, &body).await.status, StatusCode::CREATED);
    let answer = registry.get("/v2/app/manifests/latest").await;
    assert_eq!((answer.header("content-type"), answer.text()), (UNKNOWN, body));
}

#[tokio::test]
async fn a_manifest_whose_type_only_the_client_tells_comes_back_under_it() {
    let registry = Registry::new();
    // Spaces, unknown fields and their order are part of the bytes.
    let body = "{ \"zeta\": 1,  \"schemaVersion\": \"7.0\", \"alpha\": {\"config\": null} }\n";
    let answer = push(&registry, &format!("{UNKNOWN}; charset=utf-8"), body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    for reference in ["latest".to_owned(), digest_of(body.as_bytes()).to_string()] {
        let path = format!("/v2/app/manifests/{reference}");
        let answer = registry.get(&path).await;
        assert_eq!((answer.header("content-type"), answer.text().as_str()), (UNKNOWN, body));
        assert_eq!(registry.head(&path).await.header("content-type"), UNKNOWN);
    }
}

#[tokio::test]
async fn a_manifest_that_is_pushed_again_under_no_type_is_what_its_bytes_look_like() {
    let registry = Registry::new();
    let mut image = registry.image("app", "one").await;
    image.as_object_mut().unwrap().remove("mediaType");
    for (declared, expected) in [(UNKNOWN, UNKNOWN), ("application/octet-stream", OCI_MANIFEST)] {
        let answer = push(&registry, declared, &image.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        assert_eq!(registry.get("/v2/app/manifests/latest").await.header("content-type"), expected);
    }
}

#[tokio::test]
async fn unknown_fields_are_kept() {
    let registry = Registry::new();
    let mut image = registry.image("app", "one").await;
    image["org.example.custom"] = json!({ "nested": [1, 2.50, null] });
    registry.push_manifest("app", "latest", &image).await;
    assert_eq!(registry.get("/v2/app/manifests/latest").await.text(), image.to_string());
}

#[tokio::test]
async fn what_is_no_json_document_is_refused_whatever_its_type() {
    let registry = Registry::new();
    for content_type in [UNKNOWN, OCI_MANIFEST, "text/plain"] {
        for body in ["", "no JSON", "[]", "\"text\"", "{\"mediaType\": 7}", "{\"a\": 1", "\u{0}\u{1}"] {
            let answer = push(&registry, content_type, body).await;
            answer.assert_error(400, "MANIFEST_INVALID");
        }
    }
}

#[tokio::test]
async fn a_type_that_is_none_is_refused() {
    let answer = push(&Registry::new(), "nonsense", "{}").await;
    answer.assert_error(400, "MANIFEST_INVALID");
}

#[tokio::test]
async fn two_types_that_differ_are_refused_with_both() {
    let registry = Registry::new();
    let image = registry.image("app", "one").await;
    let answer = push(&registry, UNKNOWN, &image.to_string()).await;
    answer.assert_error(400, "MANIFEST_INVALID");
    assert!(answer.text().contains(UNKNOWN) && answer.text().contains(OCI_MANIFEST), "{}", answer.text());
}
