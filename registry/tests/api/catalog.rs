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

#[tokio::test]
async fn a_page_is_never_longer_than_configured_and_leads_on() {
    let registry = Registry::with_pages_of(2);
    for name in ["a", "b", "c"] {
        registry.push_image(name, "latest").await;
    }
    for path in ["/v2/_catalog", "/v2/_catalog?n=1000"] {
        let answer = registry.get(path).await;
        assert_eq!(answer.json(), json!({ "repositories": ["a", "b"] }), "{path}");
        assert_eq!(answer.header("link"), "</v2/_catalog?n=2&last=b>; rel=\"next\"");
    }
}

#[tokio::test]
async fn a_page_of_nothing_is_empty_and_one_of_no_number_is_refused() {
    let registry = Registry::new();
    registry.push_image("a", "latest").await;
    let answer = registry.get("/v2/_catalog?n=0").await;
    assert_eq!(answer.json(), json!({ "repositories": [] }));
    assert!(!answer.headers.contains_key("link"));
    registry.get("/v2/_catalog?n=many").await.assert_error(400, "PAGINATION_NUMBER_INVALID");
}
