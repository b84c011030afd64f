//! Rules of retention, tried and applied by an administrator.

use hyper::StatusCode;
use serde_json::json;

use crate::{authorization::Guarded, fixture::Registry};

const PATH: &str = "/v2/_berth/retention";

#[tokio::test]
async fn the_configured_rules_are_tried_and_then_applied() {
    let guarded = Guarded::configured(&[
        ("REGISTRY_RETENTION_RULES_0_REPOSITORIES", "[team/*]"),
        ("REGISTRY_RETENTION_RULES_0_KEEP_LAST", "1"),
    ]);
    let registry = guarded.user("admin");
    for tag in ["v1", "v2"] {
        registry.push_image("team/app", tag).await;
    }
    let told = registry.post(PATH, "").await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text());
    let (document, deleted) = (told.json(), &told.json()["deleted"][0]);
    assert_eq!((&document["dryRun"], &document["kept"]), (&json!(true), &json!(1)));
    assert_eq!((&deleted["repository"], &deleted["tag"]), (&json!("team/app"), &json!("v1")));
    assert_eq!(deleted["reason"], "rule 1 keeps the last 1");
    assert_eq!(registry.get("/v2/team/app/tags/list").await.json()["tags"], json!(["v1", "v2"]));

    let done = registry.post(PATH, r#"{"dryRun": false}"#).await.json();
    assert_eq!((done["deleted"].as_array().unwrap().len(), &done["dryRun"]), (1, &json!(false)));
    assert_eq!(registry.get("/v2/team/app/tags/list").await.json()["tags"], json!(["v2"]));
    assert_eq!(registry.get("/v2/team/app/_berth/trash").await.json()["trash"][0]["deletedBy"], "retention");
}

#[tokio::test]
async fn rules_in_a_request_are_only_tried() {
    let guarded = Guarded::new();
    let registry = guarded.user("admin");
    for tag in ["1.0.0", "1.0.1", "latest"] {
        registry.push_image("team/app", tag).await;
    }
    let order = json!({ "rules": [{ "tags": ["1.*"], "keep": { "semver": { "patches": 1 } } }] }).to_string();
    let told = registry.post(PATH, order).await.json();
    assert_eq!((&told["deleted"][0]["tag"], &told["kept"]), (&json!("1.0.0"), &json!(2)));
    let order = json!({ "rules": [{ "keep": { "last": 1 } }], "dryRun": false }).to_string();
    registry.post(PATH, order).await.assert_error(400, "UNSUPPORTED");
    assert_eq!(registry.get("/v2/team/app/tags/list").await.json()["tags"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn only_administrators_may_ask() {
    Guarded::new().user("ci").post(PATH, "").await.assert_error(403, "DENIED");
    Registry::new().post(PATH, "").await.assert_error(403, "DENIED");
}
