//! What was deleted and can be brought back.

use hyper::StatusCode;
use serde_json::json;

use crate::{authorization::Guarded, fixture::Registry};

const TRASH: &str = "/v2/team/app/_berth/trash";
const RESTORE: &str = "/v2/team/app/_berth/restore";

#[tokio::test]
async fn what_was_deleted_is_listed_and_comes_back() {
    let guarded = Guarded::new();
    let registry = guarded.user("admin");
    let digest = registry.push_image("team/app", "1").await;
    registry.delete(&format!("/v2/team/app/manifests/{digest}")).await;
    for gone in ["1", &digest.to_string()] {
        registry.get(&format!("/v2/team/app/manifests/{gone}")).await.assert_error(404, "MANIFEST_UNKNOWN");
    }
    let list = registry.get(TRASH).await.json();
    assert_eq!((&list["name"], list["trash"].as_array().unwrap().len()), (&json!("team/app"), 2));
    for trashed in list["trash"].as_array().unwrap() {
        assert_eq!(
            (&trashed["digest"], &trashed["deletedBy"]),
            (&json!(digest.to_string()), &json!("admin"))
        );
    }
    let answer = registry.post(&format!("{RESTORE}?reference=1"), "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let restored = &answer.json()["restored"][0];
    assert_eq!((&restored["digest"], &restored["tags"]), (&json!(digest.to_string()), &json!(["1"])));
    assert_eq!(registry.get("/v2/team/app/manifests/1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_whole_repository_comes_back() {
    let registry = Registry::new();
    let digest = registry.push_image("team/app", "1").await;
    let before = registry.get("/v2/team/app/manifests/1").await;
    registry.delete("/v2/team/app/_berth/repository").await;
    assert_eq!(registry.get("/v2/_catalog").await.json(), json!({ "repositories": [] }));
    let answer = registry.post(RESTORE, "").await;
    assert_eq!(answer.json()["restored"][0]["digest"], digest.to_string(), "{}", answer.text());
    assert_eq!(registry.get("/v2/team/app/manifests/1").await.body, before.body);
    let layer = before.json()["layers"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(registry.head(&format!("/v2/team/app/blobs/{layer}")).await.status, StatusCode::OK);
    assert_eq!(registry.post(RESTORE, "").await.json()["restored"], json!([]));
}

#[tokio::test]
async fn a_restoration_that_cannot_be_made_is_explained() {
    let registry = Registry::new();
    registry.push_image("team/app", "1").await;
    registry.post(&format!("{RESTORE}?reference=1"), "").await.assert_error(404, "MANIFEST_UNKNOWN");
    registry.delete("/v2/team/app/manifests/1").await;
    let other = registry.push_manifest("team/app", "1", &registry.image("team/app", "other").await).await;
    let refused = registry.post(&format!("{RESTORE}?reference=1"), "").await;
    refused.assert_error(412, "DENIED");
    assert_eq!(refused.json()["errors"][0]["detail"]["current"], other.header("docker-content-digest"));
    registry.post(&format!("{RESTORE}?reference=1&force=yes"), "").await.assert_error(400, "UNSUPPORTED");
    registry.post(&format!("{RESTORE}?reference=sha256:0"), "").await.assert_error(400, "DIGEST_INVALID");
    let forced = registry.post(&format!("{RESTORE}?reference=1&force=true"), "").await;
    assert_eq!(forced.status, StatusCode::OK, "{}", forced.text());
}

#[tokio::test]
async fn an_emptied_trash_is_empty() {
    let registry = Registry::new();
    registry.push_image("team/app", "1").await;
    registry.delete("/v2/team/app/manifests/1").await;
    assert_eq!(registry.delete(TRASH).await.status, StatusCode::ACCEPTED);
    assert_eq!(registry.get(TRASH).await.json()["trash"], json!([]));
}

#[tokio::test]
async fn who_may_not_delete_may_not_look_into_the_trash_either() {
    let guarded = Guarded::new();
    guarded.user("ci").push_image("team/app", "1").await;
    guarded.user("ci").get(TRASH).await.assert_error(403, "DENIED");
    guarded.user("ci").delete(TRASH).await.assert_error(403, "DENIED");
    guarded.user("ci").post(RESTORE, "").await.assert_error(403, "DENIED");
    guarded.user("admin").delete("/v2/team/app/manifests/1").await;
    assert_eq!(guarded.user("admin").post(RESTORE, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_window_nothing_rests_in_the_trash() {
    let registry = Registry::configured(&[("REGISTRY_TRASH_WINDOW", "0")]);
    registry.push_image("team/app", "1").await;
    registry.delete("/v2/team/app/manifests/1").await;
    assert_eq!(registry.get(TRASH).await.json()["trash"], json!([]));
}
