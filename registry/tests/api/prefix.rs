//! A registry below a path (`http.prefix`).

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{OCI_INDEX, Registry, absent, digest_of};

fn below_hub() -> Registry {
    Registry::changed(|config| config.http.prefix.push_str("/hub"))
}

#[tokio::test]
async fn every_endpoint_is_below_the_prefix_and_nowhere_else() {
    let registry = below_hub();
    let answer = registry.get("/hub/v2/").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "{}"));
    assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
    for path in ["/v2/", "/hub", "/hubs/v2/", "/hub/hub/v2/"] {
        registry.get(path).await.assert_error(404, "UNSUPPORTED");
    }
}

#[tokio::test]
async fn probes_answer_below_the_prefix_and_beside_it() {
    for path in ["/", "/livez", "/readyz", "/hub/", "/hub/livez", "/hub/readyz"] {
        assert_eq!(below_hub().get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn locations_and_links_lead_below_the_prefix() {
    let registry = below_hub();
    let upload = registry.post("/hub/v2/team/app/blobs/uploads/", "").await.location_path();
    assert!(upload.starts_with("/hub/v2/team/app/blobs/uploads/"), "{upload}");
    let digest = digest_of(b"blob");
    let finished = registry.put(&format!("{upload}?digest={digest}"), "blob").await;
    assert_eq!(finished.status, StatusCode::CREATED, "{}", finished.text());
    assert_eq!(finished.location_path(), format!("/hub/v2/team/app/blobs/{digest}"));
    assert_eq!(registry.get(&finished.location_path()).await.text(), "blob");

    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] }).to_string();
    for tag in ["a", "b"] {
        let path = format!("/hub/v2/team/app/manifests/{tag}");
        let pushed = registry.send(Method::PUT, &path, &[("content-type", OCI_INDEX)], index.clone()).await;
        assert_eq!(
            pushed.location_path(),
            format!("/hub/v2/team/app/manifests/{}", digest_of(index.as_bytes()))
        );
    }
    let page = registry.get("/hub/v2/team/app/tags/list?n=1").await;
    assert_eq!(page.header("link"), "</hub/v2/team/app/tags/list?n=1&last=a>; rel=\"next\"");
}

#[tokio::test]
async fn a_host_with_a_path_stands_before_every_address() {
    let registry = Registry::changed(|config| {
        config.http.prefix.push_str("/inner");
        config.http.host = Some("https://hub.example.org/outer".to_owned());
    });
    let answer = registry.post("/inner/v2/app/blobs/uploads/", "").await;
    let begin = "https://hub.example.org/outer/v2/app/blobs/uploads/";
    assert!(answer.header("location").starts_with(begin), "{answer:?}");
}

#[tokio::test]
async fn failures_below_the_prefix_are_those_of_a_registry() {
    let registry = below_hub();
    let answer = registry.head(&format!("/hub/v2/app/blobs/{}", absent())).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
}
