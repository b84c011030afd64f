//! Web pages of other origins.

use berth_registry::auth::entry;
use hyper::{Method, StatusCode};

use crate::fixture::{Answer, Registry};

const ORIGIN: &str = "http://ui.example.com";
const PREFLIGHT: [(&str, &str); 3] = [
    ("origin", ORIGIN),
    ("access-control-request-method", "DELETE"),
    ("access-control-request-headers", "authorization"),
];

async fn preflight(registry: &Registry) -> Answer {
    registry.send(Method::OPTIONS, "/v2/app/manifests/latest", &PREFLIGHT, "").await
}

#[tokio::test]
async fn a_preflight_is_answered_before_anybody_is_asked_for_a_password() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), entry("bob", "secret", 4).unwrap()).unwrap();
    let registry = Registry::configured(&[
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", file.path().to_str().unwrap()),
        ("REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin", "[http://ui.example.com]"),
        ("REGISTRY_HTTP_HEADERS_Access-Control-Allow-Methods", "[GET, DELETE]"),
        ("REGISTRY_HTTP_HEADERS_Access-Control-Allow-Headers", "[Authorization]"),
    ]);
    let answer = preflight(&registry).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    let methods: Vec<_> = answer.headers.get_all("access-control-allow-methods").iter().collect();
    assert_eq!(methods, ["GET", "DELETE"]);
    assert_eq!(answer.header("access-control-allow-headers"), "Authorization");

    let answer = registry.send(Method::GET, "/v2/", &[("origin", ORIGIN)], "").await;
    answer.assert_error(401, "UNAUTHORIZED");
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    let exposed = "Docker-Content-Digest, Link, WWW-Authenticate";
    assert_eq!(answer.header("access-control-expose-headers"), exposed);
}

#[tokio::test]
async fn a_page_is_permitted_nothing_that_was_not_configured() {
    let registry = Registry::new();
    let answer = preflight(&registry).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answers = [answer, registry.send(Method::GET, "/v2/", &[("origin", ORIGIN)], "").await];
    for name in answers.iter().flat_map(|answer| answer.headers.keys()) {
        assert!(!name.as_str().starts_with("access-control-"), "{name}");
    }
}

#[tokio::test]
async fn other_questions_about_options_are_no_preflight() {
    let answer = Registry::new().send(Method::OPTIONS, "/v2/", &[], "").await;
    answer.assert_error(405, "UNSUPPORTED");
    assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
}
