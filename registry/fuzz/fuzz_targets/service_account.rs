//! Whatever the claims of a token are, its bearer is the one ServiceAccount that all of them name, or nobody.

#![no_main]

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_registry::auth::{Auth, Identity};
use berth_registry::config::{self, Options};
use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

const AUDIENCE: &str = "hub.default.svc";

/// The key of a cluster that signs what it is given.
static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed of 32 bytes"));

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a temporary file can be written");
        path.to_str().expect("a path of text").to_owned()
    };
    let x = URL_SAFE_NO_PAD.encode(PAIR.public_key());
    let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
    let variables = [
        ("AUTH_HTPASSWD_REALM", "Berth".to_owned()),
        ("AUTH_HTPASSWD_PATH", write("htpasswd", "")),
        ("ACCESS_PATH", write("access.yml", "rules: []")),
        ("SERVICEACCOUNTS_ISSUER", "issuer".to_owned()),
        ("SERVICEACCOUNTS_AUDIENCES", AUDIENCE.to_owned()),
        ("SERVICEACCOUNTS_KEYS", write("jwks.json", &keys.to_string())),
    ];
    let variables = variables.map(|(name, value)| (format!("REGISTRY_{name}"), value));
    let loaded = config::load(None, variables, &Options::default()).expect("a configuration that holds");
    Auth::open(&loaded.config).expect("files that can be read")
});

fuzz_target!(|claims: &[u8]| {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"k"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(PAIR.sign(message.as_bytes())));
    let Ok(identity) = AUTH.authenticate_bearer(&token) else { return };

    let Identity::User(user) = &identity else { panic!("{identity:?} is not a user") };
    let claims: Value = serde_json::from_slice(claims).expect("claims that were read");
    assert_eq!(claims["sub"].as_str(), Some(&**user));
    assert!(claims["aud"].to_string().contains(AUDIENCE), "{claims}");
    let names: Vec<&str> = user.split(':').collect();
    let ["system", "serviceaccount", namespace, name] = names[..] else {
        panic!("{user} is no ServiceAccount")
    };
    assert_eq!(claims["kubernetes.io"]["namespace"], namespace);
    assert_eq!(claims["kubernetes.io"]["serviceaccount"]["name"], name);
});
