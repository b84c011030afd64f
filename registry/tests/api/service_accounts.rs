//! Tokens of ServiceAccounts as passwords, by a cluster whose part a key of the tests takes.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_registry::auth::entry;
use hyper::{Method, StatusCode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::fixture::{Answer, Registry, basic};

const HOST: &str = "hub.default.svc";
const UPLOADS: &str = "/v2/team/app/blobs/uploads/";

const RULES: &str = r#"
rules:
  - {users: ["system:serviceaccount:team:ci"], repositories: ["team/**"], actions: [pull, push]}
  - {users: ["system:serviceaccount:berth:hub-gc"], repositories: ["**"], actions: [administer]}
  - {users: ["*"], repositories: ["**"], actions: [pull, push, administer]}
"#;

/// A registry, and the cluster whose ServiceAccounts it knows.
struct Site {
    registry: Registry,
    pair: Ed25519KeyPair,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self::configured(&[])
    }

    fn configured(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
        // A user of the same name, whose password opens nothing.
        let users = ["bob", "serviceaccount"].map(|user| entry(user, "secret", 4).unwrap());
        let [keys, users, rules] = [
            write("jwks.json", keys.to_string()),
            write("htpasswd", users.join("\n")),
            write("access.yml", RULES.to_owned()),
        ];
        let own = [
            ("REGISTRY_AUTH_HTPASSWD_REALM", "Berth"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", &users),
            ("REGISTRY_ACCESS_PATH", &rules),
            ("REGISTRY_SERVICEACCOUNTS_ISSUER", "https://kubernetes.default.svc"),
            ("REGISTRY_SERVICEACCOUNTS_AUDIENCES", HOST),
            ("REGISTRY_SERVICEACCOUNTS_KEYS", &keys),
        ];
        Self { registry: Registry::configured(&[&own, more].concat()), pair, _folder: folder }
    }

    /// A token of a ServiceAccount, `NAMESPACE:NAME`, for so many seconds.
    fn token(&self, account: &str, audience: &str, seconds: u64) -> String {
        let (namespace, name) = account.split_once(':').unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": "https://kubernetes.default.svc", "aud": [audience], "sub": format!("system:serviceaccount:{account}"),
            "exp": now + seconds, "nbf": now,
            "kubernetes.io": { "namespace": namespace, "serviceaccount": { "name": name, "uid": "4f6c" } },
        });
        let encode = |document: Value| URL_SAFE_NO_PAD.encode(document.to_string());
        let message = format!("{}.{}", encode(json!({ "alg": "EdDSA", "kid": "k" })), encode(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes())))
    }

    fn with(&self, token: &str) -> Registry {
        self.registry.as_user("serviceaccount", token)
    }

    async fn bearer(&self, method: Method, path: &str, token: &str) -> Answer {
        let header = format!("Bearer {token}");
        self.registry.send(method, path, &[("authorization", &header)], "").await
    }
}

#[tokio::test]
async fn a_token_as_a_password_opens_what_the_rules_name_the_service_account_for() {
    let site = Site::new();
    let ci = site.with(&site.token("team:ci", HOST, 600));
    assert_eq!(ci.post(UPLOADS, "").await.status, StatusCode::ACCEPTED);
    let refused = ci.post("/v2/other/blobs/uploads/", "").await;
    refused.assert_error(403, "DENIED");
    let told = "system:serviceaccount:team:ci may not pull in the repository other";
    assert!(refused.text().contains(told), "{}", refused.text());
    ci.post("/v2/_berth/garbage-collection", "{}").await.assert_error(403, "DENIED");
    let collector = site.with(&site.token("berth:hub-gc", HOST, 600));
    assert_eq!(collector.post("/v2/_berth/garbage-collection", "{}").await.status, StatusCode::ACCEPTED);
    collector.get("/v2/team/app/tags/list").await.assert_error(403, "DENIED");
}

#[tokio::test]
async fn a_service_account_that_no_rule_names_gets_nothing_and_users_of_the_file_go_on() {
    let site = Site::new();
    let other = site.with(&site.token("team:default", HOST, 600));
    assert_eq!(other.get("/v2/").await.status, StatusCode::OK);
    other.get("/v2/team/app/tags/list").await.assert_error(403, "DENIED");
    other.post("/v2/_berth/garbage-collection", "{}").await.assert_error(403, "DENIED");
    let bob = site.registry.as_user("bob", "secret");
    assert_eq!(bob.post(UPLOADS, "").await.status, StatusCode::ACCEPTED);
    assert_eq!(other.get("/v2/_catalog").await.json(), json!({ "repositories": [] }));
}

#[tokio::test]
async fn what_is_no_good_token_is_refused_like_a_wrong_password() {
    let site = Site::new();
    let good = site.token("team:ci", HOST, 600);
    let wrong = site.registry.as_user("bob", "guess").get("/v2/").await;
    for password in [
        &*site.token("team:ci", "https://kubernetes.default.svc", 600),
        &site.token("team:ci", HOST, 0),
        "secret",
        &format!("{good}x"),
    ] {
        let refused = site.with(password).get("/v2/").await;
        refused.assert_error(401, "UNAUTHORIZED");
        assert_eq!(refused.json(), wrong.json());
        assert_eq!(refused.header("www-authenticate"), r#"Basic realm="Berth""#);
    }
    let named = site.registry.as_user("system:serviceaccount:team:ci", &good).get("/v2/").await;
    named.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn whoever_shows_wrong_tokens_waits_and_locks_nobody_out() {
    let site = Site::new();
    let wrong = site.with("guess");
    let mut answers: futures::stream::FuturesUnordered<_> = (0..20).map(|_| wrong.get("/v2/")).collect();
    let sent_away = loop {
        let answer = futures::StreamExt::next(&mut answers).await.unwrap();
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
    };
    sent_away.assert_error(429, "TOOMANYREQUESTS");
    let right = site.with(&site.token("team:ci", HOST, 600));
    assert_eq!(right.get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_is_also_taken_as_a_bearer() {
    let site = Site::new();
    let started = site.bearer(Method::POST, UPLOADS, &site.token("team:ci", HOST, 600)).await;
    assert_eq!(started.status, StatusCode::ACCEPTED);
    let other = site.token("team:ci", "elsewhere", 600);
    site.bearer(Method::POST, UPLOADS, &other).await.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn our_own_token_for_a_service_account_lasts_no_longer_than_its_own_and_is_not_renewed() {
    let site = Site::configured(&[("REGISTRY_TOKENS_ENABLED", "true")]);
    let shown = site.token("team:ci", HOST, 100);
    let query = "/token?service=registry&offline_token=true&scope=repository:team/app:pull,push,delete";
    for authorization in [basic("serviceaccount", &shown), format!("Bearer {shown}")] {
        let answer = site.registry.send(Method::GET, query, &[("authorization", &authorization)], "").await;
        let body = answer.json();
        assert!(body["expires_in"].as_u64().unwrap() <= 100 && body["refresh_token"].is_null(), "{body}");
        let own = body["token"].as_str().unwrap();
        assert_eq!(site.bearer(Method::POST, UPLOADS, own).await.status, StatusCode::ACCEPTED);
        let absent = format!("/v2/team/app/manifests/{}", crate::fixture::absent());
        site.bearer(Method::DELETE, &absent, own).await.assert_error(403, "DENIED");
    }
    let form = format!("grant_type=password&username=serviceaccount&password={shown}&access_type=offline");
    let media_type = [("content-type", "application/x-www-form-urlencoded")];
    let by_form = site.registry.send(Method::POST, "/token", &media_type, form).await;
    assert!(by_form.json()["token"].is_string() && by_form.json()["refresh_token"].is_null());
    let wrong = [("authorization", &*format!("Bearer {}", site.token("team:ci", "elsewhere", 100)))];
    site.registry.send(Method::GET, query, &wrong, "").await.assert_error(401, "UNAUTHORIZED");
    // Beside the token of ours, the ServiceAccount's is good as it is.
    assert_eq!(site.bearer(Method::POST, UPLOADS, &shown).await.status, StatusCode::ACCEPTED);
}
