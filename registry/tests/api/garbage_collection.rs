//! The garbage collection of the running server.

use berth_registry::auth::entry;
use hyper::StatusCode;
use serde_json::Value;

use crate::fixture::Registry;

const PATH: &str = "/v2/_berth/garbage-collection";

fn with_administrator() -> (Registry, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), entry("admin", "secret", 4).unwrap()).unwrap();
    let registry = Registry::configured(&[
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", file.path().to_str().unwrap()),
    ]);
    (registry.as_user("admin", "secret"), file)
}

async fn finished(registry: &Registry) -> Value {
    loop {
        let run = registry.get(PATH).await.json();
        if run["state"] != "running" {
            return run;
        }
        tokio::task::yield_now().await;
    }
}

/// The last line of those that tell how the run goes on.
async fn watched(registry: &Registry) -> Value {
    let answer = registry.get(&format!("{PATH}?watch")).await;
    assert_eq!(answer.header("content-type"), "application/jsonl");
    let runs: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, earlier) = runs.split_last().unwrap();
    assert!(earlier.iter().all(|run| run["state"] == "running"));
    last.clone()
}

#[tokio::test]
async fn a_dry_run_tells_what_would_go_and_why() {
    let (registry, _file) = with_administrator();
    let orphan = registry.push_blob("app", b"orphan").await;
    let run = loop {
        registry.post(PATH, r#"{"minimumAgeSeconds": 0, "dryRun": true}"#).await;
        let run = finished(&registry).await;
        if run["blobsDeleted"] != 0 {
            break run;
        }
    };
    let expected = serde_json::json!([{"digest": orphan.to_string(), "size": 6, "reason": "unreferenced"}]);
    assert_eq!(run["candidates"], expected);
    assert_eq!(registry.get(&format!("/v2/app/blobs/{orphan}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_has_run_at_first() {
    let (registry, _file) = with_administrator();
    assert_eq!(registry.get(PATH).await.json()["state"], "idle");
}

#[tokio::test]
async fn a_run_deletes_what_nothing_refers_to_and_reports_it() {
    let (registry, _file) = with_administrator();
    let digest = registry.push_image("app", "latest").await;
    let orphan = registry.push_blob("app", b"orphan").await;
    let run = loop {
        let answer = registry.post(PATH, r#"{"minimumAgeSeconds": 0, "finish": true}"#).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::ACCEPTED, PATH));
        let run = watched(&registry).await;
        // What was written within the last step of the storage's clock still counts as young.
        if run["blobsDeleted"] != 0 {
            break run;
        }
    };
    assert_eq!((&run["state"], &run["blobsDeleted"]), (&"succeeded".into(), &1.into()), "{run}");
    registry.get(&format!("/v2/app/blobs/{orphan}")).await.assert_error(404, "BLOB_UNKNOWN");
    assert_eq!(registry.get(&format!("/v2/app/manifests/{digest}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_young_is_spared_unless_the_order_says_otherwise() {
    let (registry, _file) = with_administrator();
    registry.push_blob("app", b"just pushed").await;
    registry.post(PATH, "").await;
    assert_eq!(finished(&registry).await["blobsDeleted"], 0);
}

#[tokio::test]
async fn a_misspelt_order_is_refused() {
    let (registry, _file) = with_administrator();
    let answer = registry.post(PATH, r#"{"deleteUntaged": true}"#).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("deleteUntaged"), "{}", answer.text());
}

#[tokio::test]
async fn without_authentication_nobody_may_start_it() {
    let answer = Registry::new().post(PATH, "").await;
    answer.assert_error(403, "DENIED");
    assert!(answer.text().contains("no authentication"), "{}", answer.text());
}
