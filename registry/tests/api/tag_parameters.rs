//! Manifests that are pushed with several tags at once (distribution specification, end-7b).

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{Registry, digest_of};

async fn pushed(registry: &Registry, reference: &str, query: &str) -> (crate::fixture::Answer, Value) {
    let manifest = registry.image("app", "one").await;
    let answer = registry.push_manifest("app", &format!("{reference}?{query}"), &manifest).await;
    (answer, manifest)
}

fn digest(manifest: &Value) -> String {
    digest_of(manifest.to_string().as_bytes()).to_string()
}

async fn tags(registry: &Registry) -> Value {
    registry.get("/v2/app/tags/list").await.json()["tags"].clone()
}

#[tokio::test]
async fn a_manifest_is_pushed_by_its_digest_with_many_tags_that_are_all_confirmed() {
    let registry = Registry::new();
    let manifest = registry.image("app", "one").await;
    let names: Vec<String> = (10..22).map(|number| format!("v{number}")).collect();
    let query: Vec<String> = names.iter().map(|name| format!("tag={name}")).collect();
    let reference = format!("{}?{}", digest(&manifest), query.join("&"));
    let answer = registry.push_manifest("app", &reference, &manifest).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    assert_eq!(answer.header("oci-tag"), names.join(", "));
    assert_eq!(tags(&registry).await, json!(names));
    let pulled = registry.get("/v2/app/manifests/v21").await;
    assert_eq!(pulled.header("docker-content-digest"), digest(&manifest));
}

#[tokio::test]
async fn a_tag_in_the_path_may_have_company() {
    let registry = Registry::new();
    let (answer, _) = pushed(&registry, "v1.2", "tag=v1&tag=latest").await;
    assert_eq!((answer.status, answer.header("oci-tag")), (StatusCode::CREATED, "v1, latest"));
    assert_eq!(tags(&registry).await, json!(["latest", "v1", "v1.2"]));
}

#[tokio::test]
async fn too_many_tags_are_refused_and_none_is_made() {
    let registry = Registry::new();
    let query: Vec<String> = (0..101).map(|number| format!("tag=v{number}")).collect();
    let (answer, _) = pushed(&registry, "latest", &query.join("&")).await;
    answer.assert_error(414, "TAG_INVALID");
    assert_eq!(registry.get("/v2/app/tags/list").await.json()["tags"], json!([]));
}

#[tokio::test]
async fn an_invalid_tag_among_them_is_told_and_none_is_made() {
    let registry = Registry::new();
    let (answer, _) = pushed(&registry, "latest", "tag=good&tag=..%2Fbad").await;
    answer.assert_error(400, "TAG_INVALID");
    assert_eq!(registry.get("/v2/app/tags/list").await.json()["tags"], json!([]));
}

#[tokio::test]
async fn the_digest_of_a_tagged_manifest_may_be_of_another_algorithm() {
    let registry = Registry::new();
    let (answer, manifest) = pushed(&registry, "latest", "digest-algorithm=sha512").await;
    let digest = answer.header("docker-content-digest").to_owned();
    assert!(digest.starts_with("sha512:"), "{digest}");
    for reference in ["latest", &digest] {
        let pulled = registry.get(&format!("/v2/app/manifests/{reference}")).await;
        assert_eq!(pulled.header("docker-content-digest"), digest);
        assert_eq!(pulled.text(), manifest.to_string());
    }
    let (answer, _) = pushed(&registry, "latest", "digest-algorithm=md5").await;
    answer.assert_error(400, "DIGEST_INVALID");
}
