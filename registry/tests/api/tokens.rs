//! Tokens of somebody else, whose part a key of the tests takes.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::{Method, StatusCode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::fixture::{Answer, Registry};

const REALM: &str = "https://issuer.example.com/token";

/// A registry and the issuer that it trusts.
struct Site {
    registry: Registry,
    pair: Ed25519KeyPair,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self::configured(&[("REGISTRY_AUTH_TOKEN_REALM", REALM)])
    }

    fn configured(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x }] });
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, keys.to_string()).unwrap();
        let own = [
            ("REGISTRY_AUTH_TOKEN_SERVICE", "registry"),
            ("REGISTRY_AUTH_TOKEN_ISSUER", "issuer"),
            ("REGISTRY_AUTH_TOKEN_JWKS", path.to_str().unwrap()),
        ];
        Self { registry: Registry::configured(&[&own, more].concat()), pair, _folder: folder }
    }

    /// A token that is good for a minute and allows this, as in `repository:app:pull,push`.
    fn token(&self, scopes: &[&str]) -> String {
        let access: Vec<Value> = scopes
            .iter()
            .map(|scope| {
                let words: Vec<_> = scope.split(':').collect();
                let actions: Vec<_> = words[2].split(',').collect();
                json!({ "type": words[0], "name": words[1], "actions": actions })
            })
            .collect();
        let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 60;
        let claims =
            json!({ "iss": "issuer", "aud": ["registry"], "sub": "bob", "exp": end, "access": access });
        let encode = |document: Value| URL_SAFE_NO_PAD.encode(document.to_string());
        let message = format!("{}.{}", encode(json!({ "alg": "EdDSA", "kid": "a" })), encode(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes())))
    }

    async fn send(&self, method: Method, path: &str, scopes: &[&str]) -> Answer {
        let bearer = format!("Bearer {}", self.token(scopes));
        self.registry.send(method, path, &[("authorization", &bearer)], "").await
    }
}

#[tokio::test]
async fn a_client_without_a_token_is_told_where_to_get_which_one() {
    let site = Site::new();
    let asked = async |method: Method, path: &str| {
        let answer = site.registry.send(method, path, &[], "").await;
        answer.assert_error(401, "UNAUTHORIZED");
        answer.header("www-authenticate").to_owned()
    };
    let question = format!(r#"Bearer realm="{REALM}",service="registry""#);
    assert_eq!(asked(Method::GET, "/v2/").await, question);
    assert_eq!(
        asked(Method::GET, "/v2/team/app/manifests/latest").await,
        format!(r#"{question},scope="repository:team/app:pull""#)
    );
    assert_eq!(
        asked(Method::POST, "/v2/app/blobs/uploads/?mount=sha256:0&from=base").await,
        format!(r#"{question},scope="repository:app:pull,push repository:base:pull""#)
    );
    assert_eq!(asked(Method::GET, "/v2/_catalog").await, format!(r#"{question},scope="registry:catalog:*""#));
}

#[tokio::test]
async fn a_token_opens_what_it_names_and_nothing_else() {
    let site = Site::new();
    assert_eq!(site.send(Method::GET, "/v2/", &[]).await.status, StatusCode::OK);
    let uploads = "/v2/team/app/blobs/uploads/";
    let push = "repository:team/app:pull,push";
    assert_eq!(site.send(Method::POST, uploads, &[push]).await.status, StatusCode::ACCEPTED);
    let tags = site.send(Method::GET, "/v2/team/app/tags/list", &[push]).await;
    tags.assert_error(404, "NAME_UNKNOWN");
    for scopes in [&[][..], &["repository:team/app:pull"], &["repository:other:*"]] {
        let answer = site.send(Method::POST, uploads, scopes).await;
        answer.assert_error(401, "UNAUTHORIZED");
        let expected =
            format!(r#"Bearer realm="{REALM}",service="registry",scope="{push}",error="insufficient_scope""#);
        assert_eq!(answer.header("www-authenticate"), expected);
    }
    let absent = format!("/v2/team/app/manifests/{}", crate::fixture::absent());
    site.send(Method::DELETE, &absent, &[push]).await.assert_error(401, "UNAUTHORIZED");
    for all in ["repository:team/app:*", "repository:team/app:delete"] {
        site.send(Method::DELETE, &absent, &[all]).await.assert_error(404, "MANIFEST_UNKNOWN");
    }
}

#[tokio::test]
async fn the_catalog_and_the_administration_need_rights_of_their_own() {
    let site = Site::new();
    for scope in ["repository:catalog:*", "registry:other:*", "registry:catalog:pull"] {
        site.send(Method::GET, "/v2/_catalog", &[scope]).await.assert_error(401, "UNAUTHORIZED");
    }
    let listed = site.send(Method::GET, "/v2/_catalog", &["registry:catalog:*"]).await;
    assert_eq!(listed.json(), json!({ "repositories": [] }));
    let path = "/v2/_berth/garbage-collection";
    let refused = site.send(Method::GET, path, &["registry:catalog:*"]).await;
    refused.assert_error(401, "UNAUTHORIZED");
    assert!(refused.header("www-authenticate").contains(r#"scope="registry:*:administer""#));
    let allowed = site.send(Method::GET, path, &["registry:*:administer"]).await;
    assert_eq!(allowed.status, StatusCode::OK);
}

#[tokio::test]
async fn a_mount_needs_the_right_to_pull_from_its_source() {
    let site = Site::new();
    let bytes = "content";
    let digest = crate::fixture::digest_of(bytes.as_bytes());
    let push = format!("Bearer {}", site.token(&["repository:base:pull,push"]));
    let path = format!("/v2/base/blobs/uploads/?digest={digest}");
    let pushed = site.registry.send(Method::POST, &path, &[("authorization", &push)], bytes).await;
    assert_eq!(pushed.status, StatusCode::CREATED);
    let mount = format!("/v2/app/blobs/uploads/?mount={digest}&from=base");
    let own = "repository:app:pull,push";
    assert_eq!(site.send(Method::POST, &mount, &[own]).await.status, StatusCode::ACCEPTED);
    let both = site.send(Method::POST, &mount, &[own, "repository:base:pull"]).await;
    assert_eq!(both.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_with_the_reason_and_without_the_token() {
    let site = Site::new();
    let good = site.token(&[]);
    let cut = &good[..good.len() - 6];
    for (token, reason) in [
        (cut, "its signature is wrong"),
        ("secret", "it is not a JSON Web Token"),
        (&"x".repeat(20_000), "it is longer than"),
    ] {
        let bearer = format!("Bearer {token}");
        let answer = site.registry.send(Method::GET, "/v2/", &[("authorization", &bearer)], "").await;
        answer.assert_error(401, "UNAUTHORIZED");
        assert!(answer.text().contains(reason) && !answer.text().contains(token), "{}", answer.text());
        assert!(answer.header("www-authenticate").ends_with(r#",error="invalid_token""#));
    }
}

#[tokio::test]
async fn a_password_opens_nothing_where_tokens_are_asked_for() {
    let site = Site::new();
    site.registry.as_user("bob", "secret").get("/v2/").await.assert_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn clients_are_sent_to_a_path_of_the_address_that_they_know() {
    let site = Site::configured(&[("REGISTRY_AUTH_TOKEN_AUTOREDIRECT", "true")]);
    let forwarded = ("x-forwarded-proto", "https");
    let answer = site.registry.send(Method::GET, "/v2/", &[forwarded], "").await;
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer realm="https://hub.example.com/auth/token",service="registry""#
    );
}
