//! Metrics: what requests leave behind on the page of the debug address.

use berth_registry::{
    api, config,
    health::Health,
    metrics::{Exposition, Metrics},
    notifications::Notifications,
    reloading::InForce,
    repository::{Registry as Rules, Rules as Settings},
};
use berth_storage::{Memory, ObjectStore};
use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request, Response, StatusCode, body::Bytes};
use std::sync::Arc;
use tower::ServiceExt;

use crate::fixture::{OCI_MANIFEST, Registry, absent, unreachable};

/// What a collector gets that asks for this path.
async fn ask(metrics: &Metrics, path: &str, accept: &str) -> Response<String> {
    let rules = Rules::new(Arc::new(Memory::new()), Settings::default());
    let metrics = Some(("/metrics".to_owned(), Exposition::new(metrics, rules)));
    let service = api::debug_router(Health::default(), metrics, InForce::default());
    let request = Request::get(path).header("accept", accept).body(Empty::<Bytes>::new()).unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Response::from_parts(parts, text)
}

pub(crate) async fn page(metrics: &Metrics) -> String {
    ask(metrics, "/metrics", "").await.into_body()
}

pub(crate) fn assert_sample(page: &str, sample: &str) {
    assert!(page.lines().any(|line| line == sample), "{sample} is missing in\n{page}");
}

fn measured() -> (Registry, Metrics) {
    let metrics = Metrics::default();
    (Registry::new().with_metrics(&metrics), metrics)
}

#[tokio::test]
async fn each_endpoint_is_counted_under_its_handler() {
    let (registry, metrics) = measured();
    let digest = registry.push_image("team/app", "latest").await;
    for path in [
        "/v2/".to_owned(),
        "/v2/_catalog".to_owned(),
        "/v2/team/app/tags/list".to_owned(),
        "/v2/team/app/manifests/latest".to_owned(),
        format!("/v2/team/app/referrers/{digest}"),
    ] {
        let answer = registry.send(Method::GET, &path, &[("accept", OCI_MANIFEST)], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    let upload = registry.start_upload("team/app").await;
    registry.get(&upload).await;
    registry.get(&format!("/v2/team/app/blobs/{}", absent())).await;
    registry.get("/v2/_berth/garbage-collection").await;
    registry.get("/no/such/path").await;
    let page = page(&metrics).await;
    for (handler, method, code) in [
        ("base", "get", 200),
        ("catalog", "get", 200),
        ("tags", "get", 200),
        ("manifest", "get", 200),
        ("manifest", "put", 201),
        ("referrers", "get", 200),
        ("blob_upload", "post", 202),
        ("blob_upload_chunk", "get", 204),
        ("blob", "get", 404),
        ("extension", "get", 403),
        ("other", "get", 404),
    ] {
        let labels = format!("handler=\"{handler}\",method=\"{method}\",code=\"{code}\"");
        assert_sample(&page, &format!("registry_http_requests_total{{{labels}}} 1"));
        assert_sample(&page, &format!("registry_http_in_flight_requests{{handler=\"{handler}\"}} 0"));
    }
    assert!(!page.contains("team"), "no name of a repository is in a label:\n{page}");
}

#[tokio::test]
async fn pushes_and_pulls_are_counted_with_their_bytes() {
    let (registry, metrics) = measured();
    let digest = registry.push_blob("app", b"0123456789").await;
    registry.get(&format!("/v2/app/blobs/{digest}")).await;
    let page = page(&metrics).await;
    for (name, value) in [("pushes", 1), ("pushed_bytes", 10), ("pulls", 1), ("pulled_bytes", 10)] {
        assert_sample(&page, &format!("berth_registry_{name}_total{{kind=\"blob\"}} {value}"));
    }
    assert_sample(&page, "registry_http_response_size_bytes_sum{handler=\"blob\"} 10.0");
}

#[tokio::test]
async fn credentials_are_counted_by_what_became_of_them() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, berth_registry::auth::entry("ann", "secret", 4).unwrap()).unwrap();
    let path = file.path().to_str().unwrap();
    let variables = [("REGISTRY_AUTH_HTPASSWD_REALM", "Registry"), ("REGISTRY_AUTH_HTPASSWD_PATH", path)];
    let metrics = Metrics::default();
    let registry = Registry::configured(&variables).with_metrics(&metrics);
    registry.get("/v2/").await;
    registry.as_user("ann", "secret").get("/v2/").await;
    registry.as_user("ann", "wrong").get("/v2/").await;
    let page = page(&metrics).await;
    for result in ["missing", "succeeded", "failed"] {
        assert_sample(&page, &format!("berth_registry_authentications_total{{result=\"{result}\"}} 1"));
    }
}

#[tokio::test]
async fn a_collector_gets_the_format_that_it_asks_for() {
    let metrics = Metrics::default();
    let plain = ask(&metrics, "/metrics", "").await;
    assert_eq!(plain.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let open = ask(&metrics, "/metrics", "application/openmetrics-text; version=1.0.0").await;
    assert!(open.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(open.body().ends_with("# EOF\n"));
    assert_eq!(ask(&metrics, "/", "").await.status(), StatusCode::OK);
    assert_eq!(ask(&metrics, "/debug/vars", "").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn notifications_that_wait_are_counted_by_endpoint() {
    let metrics = Metrics::default();
    let config = config::Notifications { include_references: false, endpoints: vec![unreachable()] };
    let store: Arc<dyn ObjectStore> = Arc::new(Memory::new());
    let addr = "node:5000".to_owned();
    let notifications = Notifications::start(&config, &store, addr, metrics.notifications()).unwrap();
    Registry::new().with_notifications(notifications).push_blob("app", b"hello").await;
    let page = page(&metrics).await;
    assert_sample(&page, "registry_notifications_events_total{type=\"Events\",endpoint=\"mail\"} 1");
    assert_sample(&page, "registry_notifications_pending_total{endpoint=\"mail\"} 1");
}
