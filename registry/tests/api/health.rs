//! Health checks: what a failing one means for clients, probes, and those who run the registry.

use std::{sync::Arc, time::Duration};

use berth_registry::{
    api,
    config::{self, FileCheck},
    health::Health,
    reloading::InForce,
    repository::{Registry as Rules, Rules as Settings},
};
use berth_storage::Memory;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fixture::Registry;

/// A check that fails as long as the file exists, made until its result is known.
async fn check(file: &tempfile::NamedTempFile) -> Health {
    let check = FileCheck { path: file.path().to_owned(), interval: Duration::from_millis(1) };
    let config = config::Health { files: vec![check], ..config::Health::default() };
    let rules = Rules::new(Arc::new(Memory::new()), Settings::default());
    let health = Health::new(&config, &rules, "inmemory");
    tokio::spawn(health.clone().watch());
    while health.is_well() {
        tokio::task::yield_now().await;
    }
    health
}

async fn debug_health(health: &Health) -> (StatusCode, Value) {
    let request = Request::get("/debug/health").body(Empty::<Bytes>::new()).unwrap();
    let answer = api::debug_router(health.clone(), None, InForce::default()).oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_failing_check_takes_the_registry_out_of_service_until_it_succeeds() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let health = check(&file).await;
    let registry = Registry::new().with_health(&health);
    registry.get("/v2/").await.assert_error(503, "UNAVAILABLE");
    registry.get("/v2/app/manifests/latest").await.assert_error(503, "UNAVAILABLE");
    for path in ["/", "/livez"] {
        assert_eq!(registry.get(path).await.status, StatusCode::OK, "{path}");
    }
    drop(file);
    while !health.is_well() {
        tokio::task::yield_now().await;
    }
    assert_eq!(registry.get("/v2/").await.status, StatusCode::OK);
    assert_eq!(registry.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_probe_for_readiness_names_the_check_that_fails() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let registry = Registry::new().with_health(&check(&file).await);
    let answer = registry.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.text(), format!("failing health checks: {}\n", file.path().display()));
}

#[tokio::test]
async fn the_debug_address_tells_what_fails_and_why() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let failing = debug_health(&check(&file).await).await;
    let reasons = json!({ file.path().to_str().unwrap(): "file exists" });
    assert_eq!(failing, (StatusCode::SERVICE_UNAVAILABLE, reasons));
    assert_eq!(debug_health(&Health::default()).await, (StatusCode::OK, json!({})));
}
