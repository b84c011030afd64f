//! The read-only switch of the registry.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::authorization::Guarded;

const PATH: &str = "/v2/_berth/read-only";

#[tokio::test]
async fn changes_are_refused_from_the_moment_of_the_switch_until_it_is_off() {
    let guarded = Guarded::new();
    let registry = guarded.user("admin");
    let digest = registry.push_image("app", "1").await;
    assert_eq!(registry.get(PATH).await.json(), json!({ "readOnly": false, "switch": null }));
    let answer = registry.send(Method::PUT, PATH, &[], "").await;
    assert_eq!((answer.status, &answer.json()["readOnly"]), (StatusCode::OK, &json!(true)));
    assert_eq!(answer.json()["switch"]["by"], "admin");
    registry.post("/v2/app/blobs/uploads/", "").await.assert_error(405, "UNSUPPORTED");
    registry.delete(&format!("/v2/app/manifests/{digest}")).await.assert_error(405, "UNSUPPORTED");
    assert_eq!(registry.get("/v2/app/manifests/1").await.status, StatusCode::OK);

    assert_eq!(registry.delete(PATH).await.json(), json!({ "readOnly": false, "switch": null }));
    registry.push_image("app", "2").await;
}

#[tokio::test]
async fn only_administrators_may_switch() {
    let guarded = Guarded::new();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        guarded.user("ci").send(method, PATH, &[], "").await.assert_error(403, "DENIED");
    }
}
