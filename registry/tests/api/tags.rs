//! Listing tags.

use hyper::StatusCode;
use serde_json::json;

use crate::fixture::Registry;

async fn with_tags() -> Registry {
    let registry = Registry::new();
    for tag in ["b", "c", "a"] {
        registry.push_image("team/app", tag).await;
    }
    registry
}

#[tokio::test]
async fn tags_are_listed_in_order() {
    let answer = with_tags().await.get("/v2/team/app/tags/list").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({ "name": "team/app", "tags": ["a", "b", "c"] }));
    assert!(!answer.headers.contains_key("link"));
}

#[tokio::test]
async fn a_page_leads_to_the_next_one() {
    let registry = with_tags().await;
    let first = registry.get("/v2/team/app/tags/list?n=2").await;
    assert_eq!(first.json()["tags"], json!(["a", "b"]));
    assert_eq!(first.header("link"), "</v2/team/app/tags/list?n=2&last=b>; rel=\"next\"");
    let second = registry.get("/v2/team/app/tags/list?n=2&last=b").await;
    assert_eq!(second.json()["tags"], json!(["c"]));
    assert!(!second.headers.contains_key("link"));
}

#[tokio::test]
async fn a_page_of_nothing_is_empty() {
    let answer = with_tags().await.get("/v2/team/app/tags/list?n=0").await;
    assert_eq!(answer.json()["tags"], json!([]));
    assert!(!answer.headers.contains_key("link"));
}

#[tokio::test]
async fn a_page_of_no_number_is_refused() {
    let answer = with_tags().await.get("/v2/team/app/tags/list?n=many").await;
    answer.assert_error(400, "PAGINATION_NUMBER_INVALID");
}

#[tokio::test]
async fn a_repository_whose_last_tag_is_deleted_has_an_empty_list() {
    let registry = Registry::new();
    registry.push_image("app", "only").await;
    registry.delete("/v2/app/manifests/only").await;
    assert_eq!(registry.get("/v2/app/tags/list").await.json(), json!({ "name": "app", "tags": [] }));
}

#[tokio::test]
async fn an_unknown_repository_is_not_found() {
    Registry::new().get("/v2/no/such/tags/list").await.assert_error(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn a_page_that_is_asked_for_is_cut_to_the_configured_length_and_leads_on() {
    let registry = Registry::with_pages_of(2);
    for tag in ["a", "b", "c"] {
        registry.push_image("app", tag).await;
    }
    let answer = registry.get("/v2/app/tags/list?n=1000").await;
    assert_eq!(answer.json()["tags"], json!(["a", "b"]));
    assert_eq!(answer.header("link"), "</v2/app/tags/list?n=2&last=b>; rel=\"next\"");
    let all = registry.get("/v2/app/tags/list").await;
    assert_eq!(all.json()["tags"], json!(["a", "b", "c"]));
    assert!(!all.headers.contains_key("link"));
}

#[tokio::test]
async fn a_page_that_ends_with_the_last_tag_leads_nowhere() {
    let registry = with_tags().await;
    for path in
        ["/v2/team/app/tags/list?n=3", "/v2/team/app/tags/list?n=1&last=b", "/v2/team/app/tags/list?last=b"]
    {
        let answer = registry.get(path).await;
        assert!(!answer.headers.contains_key("link"), "{path}: {answer:?}");
        assert!(answer.json()["tags"].as_array().unwrap().contains(&json!("c")));
    }
    assert_eq!(registry.get("/v2/team/app/tags/list?last=c").await.json()["tags"], json!([]));
}
