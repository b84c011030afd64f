//! Tokens of ServiceAccounts, as an API server makes them.

use serde_json::{Value, json};

use super::{named, signer::Signer};
use crate::{
    auth::token::{Algorithm, InvalidToken, service_account::*},
    config,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const SECONDS: u64 = 1_800_000_000;

/// The published keys of a cluster, and what the registry makes of its tokens.
struct Cluster {
    folder: tempfile::TempDir,
    tokens: ServiceAccountTokens,
}

impl Cluster {
    fn new(signer: &Signer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        publish(&folder, signer);
        let config = config::ServiceAccounts {
            issuer: "https://kubernetes.default.svc".to_owned(),
            audiences: vec!["hub.default.svc".to_owned(), "hub.example.com".to_owned()],
            keys: folder.path().join("jwks.json"),
        };
        Self { tokens: ServiceAccountTokens::open(config).unwrap(), folder }
    }

    fn verify_at(&self, token: &str, seconds: u64) -> Result<Arc<ServiceAccount>, InvalidToken> {
        self.tokens.verify(token, at(seconds))
    }
}

fn publish(folder: &tempfile::TempDir, signer: &Signer) {
    let keys = json!({ "keys": [named(signer, "k")] });
    std::fs::write(folder.path().join("jwks.json"), keys.to_string()).unwrap();
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn claims() -> Value {
    json!({
        "iss": "https://kubernetes.default.svc", "aud": ["hub.default.svc"], "sub": "system:serviceaccount:team:ci",
        "exp": SECONDS + 600, "iat": SECONDS, "nbf": SECONDS, "jti": "a",
        "kubernetes.io": { "namespace": "team", "serviceaccount": { "name": "ci", "uid": "4f6c" }, "pod": { "name": "x", "uid": "1" } },
    })
}

fn token(signer: &Signer, change: &str, value: Value) -> String {
    let mut claims = claims();
    claims[change] = value;
    signer.token(json!({ "kid": "k" }), &claims)
}

#[test]
fn a_token_for_one_of_the_audiences_says_who_its_service_account_is_and_until_when() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384] {
        let signer = Signer::new(algorithm);
        let cluster = Cluster::new(&signer);
        for audience in
            [json!(["hub.default.svc"]), json!("hub.example.com"), json!(["a", "hub.example.com"])]
        {
            let account = cluster.verify_at(&token(&signer, "aud", audience), SECONDS).unwrap();
            assert_eq!(&*account.user, "system:serviceaccount:team:ci");
            assert_eq!(account.end, at(SECONDS + 600));
        }
    }
}

#[test]
fn a_token_that_is_not_for_this_registry_or_not_of_a_service_account_is_refused() {
    let signer = Signer::new(Algorithm::Es256);
    let cluster = Cluster::new(&signer);
    for (claim, value, refusal) in [
        ("aud", json!(["https://kubernetes.default.svc"]), InvalidToken::Audience),
        ("aud", json!([]), InvalidToken::Audience),
        ("iss", json!("kubernetes/serviceaccount"), InvalidToken::Issuer),
        ("exp", json!(null), InvalidToken::Expired),
        ("nbf", json!(SECONDS + 3600), InvalidToken::NotYet),
        ("sub", json!("admin"), InvalidToken::Subject),
        ("sub", json!("system:serviceaccount:team:other"), InvalidToken::Subject),
        ("sub", json!(null), InvalidToken::Subject),
        ("kubernetes.io", json!(null), InvalidToken::Subject),
        ("kubernetes.io", json!({ "namespace": "team" }), InvalidToken::Malformed),
    ] {
        assert_eq!(cluster.verify_at(&token(&signer, claim, value), SECONDS), Err(refusal), "{claim}");
    }
    let forged = token(&Signer::new(Algorithm::Es256), "jti", json!("a"));
    assert_eq!(cluster.verify_at(&forged, SECONDS), Err(InvalidToken::Signature));
}

#[test]
fn a_token_that_was_verified_is_good_until_its_end_and_not_a_second_longer() {
    let signer = Signer::new(Algorithm::Es256);
    let cluster = Cluster::new(&signer);
    let token = token(&signer, "jti", json!("a"));
    let first = cluster.verify_at(&token, SECONDS + 599).unwrap();
    assert!(Arc::ptr_eq(&first, &cluster.verify_at(&token, SECONDS + 599).unwrap()));
    assert_eq!(cluster.verify_at(&token, SECONDS + 600), Err(InvalidToken::Expired));
}

#[test]
fn keys_that_the_cluster_has_replaced_are_followed_at_once() {
    let (old, new) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::Es384));
    let cluster = Cluster::new(&old);
    let (before, after) = (token(&old, "jti", json!("a")), token(&new, "jti", json!("a")));
    assert!(cluster.verify_at(&before, SECONDS).is_ok() && cluster.verify_at(&after, SECONDS).is_err());
    publish(&cluster.folder, &new);
    assert!(cluster.tokens.file().refresh());
    assert!(cluster.verify_at(&before, SECONDS).is_err() && cluster.verify_at(&after, SECONDS).is_ok());
}

#[test]
fn another_audience_counts_at_once_also_for_tokens_that_were_good_before() {
    let signer = Signer::new(Algorithm::Es256);
    let cluster = Cluster::new(&signer);
    let old = token(&signer, "aud", json!("hub.example.com"));
    let new = token(&signer, "aud", json!("registry.example.com"));
    assert!(cluster.verify_at(&old, SECONDS).is_ok() && cluster.verify_at(&new, SECONDS).is_err());
    cluster.tokens.set_audiences(&["registry.example.com".to_owned()]);
    assert!(cluster.verify_at(&old, SECONDS).is_err() && cluster.verify_at(&new, SECONDS).is_ok());
}
