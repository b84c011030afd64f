//! Listing repositories.

use serde_json::json;

use crate::fixture::Registry;

#[tokio::test]
async fn repositories_are_listed_in_order_and_in_pages() {
    let registry = Registry::new();
    for name in ["b", "a/x", "a"] {
        registry.push_image(name, "latest").await;
    }
    let all = registry.get("/v2/_catalog").await;
    assert_eq!(all.json(), json!({ "repositories": ["a", "a/x", "b"] }));
    let page = registry.get("/v2/_catalog?n=2").await;
    assert_eq!(page.json(), json!({ "repositories": ["a", "a/x"] }));
    assert_eq!(page.header("link"), "</v2/_catalog?n=2&last=a/x>; rel=\"next\"");
    let rest = registry.get("/v2/_catalog?n=2&last=a/x").await;
    assert_eq!(rest.json(), json!({ "repositories": ["b"] }));
}

#[tokio::test]
async fn an_empty_registry_has_no_repositories() {
    assert_eq!(Registry::new().get("/v2/_catalog").await.json(), json!({ "repositories": [] }));
}
