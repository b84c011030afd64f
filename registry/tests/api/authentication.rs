//! Passwords.

use berth_registry::auth::entry;
use futures::{StreamExt, stream::FuturesUnordered};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::Registry;

fn with_password() -> (Registry, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), entry("bob", "secret", 4).unwrap()).unwrap();
    let registry = Registry::configured(&[
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry \"Realm\""),
        ("REGISTRY_AUTH_HTPASSWD_PATH", file.path().to_str().unwrap()),
    ]);
    (registry, file)
}

#[tokio::test]
async fn every_endpoint_asks_for_a_password() {
    let (registry, _file) = with_password();
    for (method, path) in [
        (Method::GET, "/v2/"),
        (Method::GET, "/v2/_catalog"),
        (Method::GET, "/v2/app/manifests/latest"),
        (Method::PUT, "/v2/app/manifests/latest"),
        (Method::POST, "/v2/app/blobs/uploads/"),
        (Method::GET, "/v2/no/such/path"),
        (Method::DELETE, "/v2/"),
        (Method::POST, "/v2/_berth/garbage-collection"),
    ] {
        let answer = registry.send(method, path, &[], "").await;
        answer.assert_error(401, "UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), r#"Basic realm="Registry \"Realm\"""#);
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
    }
}

#[tokio::test]
async fn what_a_request_needs_is_told_in_the_detail() {
    let (registry, _file) = with_password();
    let record = |name: &str, action: &str| json!({ "Type": "repository", "Class": "", "Name": name, "Action": action });
    let detail = async |method: Method, path: &str| {
        let answer = registry.send(method, path, &[], "").await;
        answer.json()["errors"][0]["detail"].clone()
    };
    let pulled = detail(Method::GET, "/v2/team/app/manifests/latest").await;
    assert_eq!(pulled, json!([record("team/app", "pull")]));
    let mounted = detail(Method::POST, "/v2/team/app/blobs/uploads/?mount=sha256:0&from=base").await;
    let expected = [record("team/app", "pull"), record("team/app", "push"), record("base", "pull")];
    assert_eq!(mounted, json!(expected));
    let listed = detail(Method::GET, "/v2/_catalog").await;
    assert_eq!(listed, json!([{ "Type": "registry", "Class": "", "Name": "catalog", "Action": "*" }]));
    assert_eq!(detail(Method::GET, "/v2/").await, json!(null));
}

#[tokio::test]
async fn probes_ask_for_none() {
    let (registry, _file) = with_password();
    for path in ["/", "/livez", "/readyz"] {
        assert_eq!(registry.get(path).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_right_password_opens_and_a_wrong_one_does_not() {
    let (registry, _file) = with_password();
    assert_eq!(registry.as_user("bob", "secret").get("/v2/").await.status, StatusCode::OK);
    for (user, password) in [("bob", "wrong"), ("eve", "secret"), ("", "")] {
        let answer = registry.as_user(user, password).get("/v2/").await;
        answer.assert_error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn whoever_guesses_is_told_when_to_come_back_and_bob_still_comes_in() {
    let (registry, _file) = with_password();
    let bob = registry.as_user("bob", "secret");
    assert_eq!(bob.get("/v2/").await.status, StatusCode::OK);
    let guesses: Vec<_> = (0..20).map(|guess| registry.as_user("bob", &guess.to_string())).collect();
    let mut answers: FuturesUnordered<_> = guesses.iter().map(|guess| guess.get("/v2/")).collect();
    // The others still wait when the first one is sent away.
    let sent_away = loop {
        let answer = answers.next().await.unwrap();
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
    };
    sent_away.assert_error(429, "TOOMANYREQUESTS");
    assert!(sent_away.header("retry-after").parse::<u64>().unwrap() > 10);
    assert_eq!(bob.get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_user_may_do_everything_without_access_rules() {
    let (registry, _file) = with_password();
    let bob = registry.as_user("bob", "secret");
    let digest = bob.push_image("app", "latest").await;
    assert_eq!(bob.delete(&format!("/v2/app/manifests/{digest}")).await.status, StatusCode::ACCEPTED);
    assert_eq!(bob.get("/v2/_berth/garbage-collection").await.status, StatusCode::OK);
}
