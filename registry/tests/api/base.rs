//! What concerns no repository: the version, probes, unknown paths, and what every answer carries.

use hyper::{Method, StatusCode};

use crate::fixture::Registry;

#[tokio::test]
async fn the_base_of_the_api_answers_with_an_empty_object() {
    let registry = Registry::new();
    for path in ["/v2/", "/v2"] {
        let answer = registry.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "{}"));
        assert_eq!(answer.header("content-type"), "application/json");
    }
    assert_eq!(registry.head("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_of_the_registry_tells_the_version_of_the_api() {
    let registry = Registry::new();
    for path in ["/v2/", "/v2/_catalog", "/v2/app/manifests/latest", "/v2/no/such/path"] {
        assert_eq!(registry.get(path).await.header("docker-distribution-api-version"), "registry/2.0");
    }
    for (method, path, status) in [
        (Method::HEAD, "/v2/", 200),
        (Method::HEAD, "/v2/app/manifests/latest", 404),
        (Method::GET, "/v2/Upper/tags/list", 400),
        (Method::PUT, "/v2/_catalog", 405),
        (Method::OPTIONS, "/v2/", 405),
    ] {
        let answer = registry.send(method, path, &[], "").await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0", "{path}");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_told_in_json() {
    let registry = Registry::new();
    registry.get("/v2/app/nonsense").await.assert_error(404, "UNSUPPORTED");
    registry.get("/favicon.ico").await.assert_error(404, "UNSUPPORTED");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_with_those_that_it_has() {
    let answer = Registry::new().put("/v2/app/tags/list", "").await;
    answer.assert_error(405, "UNSUPPORTED");
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn probes_answer_without_credentials() {
    let registry = Registry::new();
    for path in ["/", "/livez", "/readyz"] {
        assert_eq!(registry.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn configured_headers_stand_on_every_answer() {
    let variables = [("REGISTRY_HTTP_HEADERS_X-Content-Type-Options", "[nosniff]")];
    let registry = Registry::configured(&variables);
    for path in ["/", "/v2/", "/v2/app/tags/list"] {
        assert_eq!(registry.get(path).await.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn the_id_of_a_proxy_comes_back() {
    let answer = Registry::new().send(Method::GET, "/v2/", &[("x-request-id", "abc-1")], "").await;
    assert_eq!(answer.header("x-request-id"), "abc-1");
}

#[tokio::test]
async fn an_invalid_name_is_told() {
    let registry = Registry::new();
    registry.get("/v2/Upper/tags/list").await.assert_error(400, "NAME_INVALID");
    registry.get("/v2/a%FFb/tags/list").await.assert_error(400, "NAME_INVALID");
    registry.get("/v2/a//b/tags/list").await.assert_error(400, "NAME_INVALID");
}
