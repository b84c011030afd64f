//! Tokens of an issuer that the tests make up, with keys of every kind.

mod service_accounts;
mod signer;

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use ring::hmac;
use serde_json::{Value, json};

use super::{trusted_keys::InvalidKeys, *};
use crate::{auth::Action, config::TokenRealm};
use signer::Signer;

/// The issuer as the registry knows it: by files in a folder.
struct Site {
    folder: tempfile::TempDir,
    issuer: Issuer,
}

impl Site {
    fn new(bundle: Option<&str>, keys: &[Value]) -> Self {
        Self::of(bundle, keys, &Algorithm::ALL)
    }

    fn of(bundle: Option<&str>, keys: &[Value], algorithms: &[Algorithm]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: String| -> PathBuf {
            std::fs::write(folder.path().join(name), content).unwrap();
            folder.path().join(name)
        };
        let config = config::Token {
            realm: TokenRealm::Url("https://issuer.example.com/token".to_owned()),
            service: "registry".to_owned(),
            issuer: "issuer".to_owned(),
            certificates: bundle.map(|bundle| write("bundle.pem", bundle.to_owned())),
            jwks: Some(keys)
                .filter(|keys| !keys.is_empty())
                .map(|keys| write("jwks.json", json!({ "keys": keys }).to_string())),
            algorithms: algorithms.to_vec(),
        };
        Self { issuer: Issuer::open(config).unwrap(), folder }
    }

    fn verify(&self, token: &str) -> Result<Arc<Bearer>, InvalidToken> {
        self.issuer.verify(token, now())
    }
}

fn now() -> SystemTime {
    // A moment at which the certificates of the tests are good.
    UNIX_EPOCH + Duration::from_hours(500_000)
}

fn claims() -> Value {
    json!({
        "iss": "issuer", "sub": "bob", "aud": "registry", "exp": 1_800_000_300, "nbf": 1_800_000_000,
        "access": [{ "type": "repository", "name": "team/app", "actions": ["pull", "push"] }, {
            "type": "repository", "name": "none", "actions": null,
        }],
    })
}

fn named(signer: &Signer, name: &str) -> Value {
    let mut key = signer.jwk();
    key["kid"] = json!(name);
    key
}

#[test]
fn a_token_of_every_algorithm_gives_its_rights() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm);
        let site = Site::new(None, &[named(&signer, "a")]);
        for name in ["a", &signer.thumbprint()] {
            let bearer = site.verify(&signer.token(json!({ "kid": name }), &claims())).unwrap();
            assert_eq!(&*bearer.subject, "bob");
            assert!(bearer.grants.allow(Action::Push, &"team/app".parse().unwrap()), "{algorithm}");
            assert!(!bearer.grants.allow(Action::Delete, &"team/app".parse().unwrap()), "{algorithm}");
        }
    }
}

#[test]
fn a_signature_by_another_key_or_of_other_words_is_wrong() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let (signer, other) = (Signer::new(algorithm), Signer::new(algorithm));
        let site = Site::new(None, &[named(&signer, "a")]);
        let forged = other.token(json!({ "kid": "a" }), &claims());
        assert_eq!(site.verify(&forged), Err(InvalidToken::Signature), "{algorithm}");
        let good = signer.token(json!({ "kid": "a" }), &claims());
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, _) = message.split_once('.').unwrap();
        let more = URL_SAFE_NO_PAD.encode(json!({ "iss": "issuer" }).to_string());
        for changed in
            [format!("{header}.{more}.{signature}"), format!("{message}."), format!("{message}.AA")]
        {
            assert_eq!(site.verify(&changed), Err(InvalidToken::Signature), "{algorithm}");
        }
        assert!(site.verify(&good).is_ok());
    }
}

#[test]
fn nobody_signs_without_a_key_or_with_a_public_key_for_a_secret() {
    let signer = Signer::new(Algorithm::EdDsa);
    let site = Site::new(None, &[named(&signer, "a")]);
    let encode = |document: Value| URL_SAFE_NO_PAD.encode(document.to_string());
    let unsigned = format!("{}.{}.", encode(json!({ "alg": "none", "kid": "a" })), encode(claims()));
    assert_eq!(site.verify(&unsigned), Err(InvalidToken::Algorithm));
    let message = format!("{}.{}", encode(json!({ "alg": "HS256", "kid": "a" })), encode(claims()));
    let public = signer.pair.public_key_pem();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()), message.as_bytes());
    let keyed = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(site.verify(&keyed), Err(InvalidToken::Algorithm));
}

#[test]
fn a_key_verifies_only_what_it_and_the_configuration_are_for() {
    let rsa = Signer::new(Algorithm::Rs256);
    let mut only = named(&rsa, "a");
    only["alg"] = json!("RS256");
    let site = Site::of(None, &[only], &[Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256]);
    let header = json!({ "kid": "a" });
    assert!(site.verify(&rsa.token(header.clone(), &claims())).is_ok());
    let pss = rsa.by(Algorithm::Ps256).token(header.clone(), &claims());
    assert_eq!(site.verify(&pss), Err(InvalidToken::Key));
    let long = rsa.by(Algorithm::Rs512).token(header, &claims());
    assert_eq!(site.verify(&long), Err(InvalidToken::Algorithm));
    let curve = Signer::new(Algorithm::Es256).token(json!({ "kid": rsa.thumbprint() }), &claims());
    assert_eq!(site.verify(&curve), Err(InvalidToken::Key));
}

#[test]
fn a_token_that_names_no_key_or_an_unknown_one_is_refused() {
    let signer = Signer::new(Algorithm::EdDsa);
    let site = Site::new(None, &[named(&signer, "a")]);
    for header in [json!({}), json!({ "kid": "b" }), json!({ "kid": "" }), json!({ "x5c": [] })] {
        assert_eq!(site.verify(&signer.token(header, &claims())), Err(InvalidToken::Key));
    }
}

#[test]
fn a_key_that_the_token_shows_has_to_be_one_of_the_trusted() {
    let (trusted, other) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::Es256));
    let site = Site::new(None, &[named(&trusted, "a")]);
    assert!(site.verify(&trusted.token(json!({ "jwk": trusted.jwk() }), &claims())).is_ok());
    let own = other.token(json!({ "jwk": other.jwk() }), &claims());
    assert_eq!(site.verify(&own), Err(InvalidToken::Key));
    let borrowed = other.token(json!({ "jwk": named(&other, "a"), "kid": "a" }), &claims());
    assert_eq!(site.verify(&borrowed), Err(InvalidToken::Key));
}

fn authority(signer: &Signer) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pair = KeyPair::try_from(signer.pair.serialized_der()).unwrap();
    CertifiedIssuer::self_signed(params, pair).unwrap()
}

fn leaf(signer: &Signer, authority: &CertifiedIssuer<'static, KeyPair>, until: i32) -> Certificate {
    let mut params = CertificateParams::new([]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    params.signed_by(&signer.pair, authority).unwrap()
}

fn chain(certificates: &[&[u8]]) -> Value {
    json!(certificates.iter().map(|der| STANDARD.encode(der)).collect::<Vec<_>>())
}

#[test]
fn the_keys_of_a_bundle_are_known_by_the_names_of_both_versions_of_distribution() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let signer = Signer::new(algorithm);
        let authority = authority(&signer);
        let site = Site::new(Some(&authority.pem()), &[]);
        let info = rcgen::PublicKeyData::subject_public_key_info(&signer.pair);
        let fingerprint = public_key::fingerprint(der::take(&mut &*info, der::SEQUENCE).unwrap()).unwrap();
        assert_eq!(fingerprint.len(), 59);
        for name in [signer.thumbprint(), fingerprint] {
            assert!(site.verify(&signer.token(json!({ "kid": name }), &claims())).is_ok(), "{algorithm}");
        }
        let itself = json!({ "x5c": chain(&[authority.der()]) });
        assert!(site.verify(&signer.token(itself, &claims())).is_ok(), "{algorithm}");
    }
}

#[test]
fn a_chain_has_to_lead_to_the_bundle_and_to_begin_with_the_key_that_signed() {
    let (root, key) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::Es384));
    let (trusted, other) = (authority(&root), authority(&Signer::new(Algorithm::Es256)));
    let site = Site::new(Some(&trusted.pem()), &[]);
    let good = chain(&[leaf(&key, &trusted, 2100).der()]);
    assert!(site.verify(&key.token(json!({ "x5c": good }), &claims())).is_ok());
    let mut shown = key.jwk();
    shown["x5c"] = good.clone();
    assert!(site.verify(&key.token(json!({ "jwk": shown }), &claims())).is_ok());
    let stolen = Signer::new(Algorithm::Es384).token(json!({ "x5c": good }), &claims());
    assert_eq!(site.verify(&stolen), Err(InvalidToken::Signature));
    let foreign = chain(&[leaf(&key, &other, 2100).der(), other.der()]);
    let expired = chain(&[leaf(&key, &trusted, 2020).der()]);
    let rubbish = chain(&[b"certificate"]);
    for chain in [foreign, expired, rubbish] {
        let token = key.token(json!({ "x5c": chain }), &claims());
        assert_eq!(site.verify(&token), Err(InvalidToken::Key));
    }
}

#[test]
fn what_is_remembered_is_not_good_for_longer_than_the_token() {
    let signer = Signer::new(Algorithm::EdDsa);
    let site = Site::new(None, &[named(&signer, "a")]);
    let token = signer.token(json!({ "kid": "a" }), &claims());
    let first = site.verify(&token).unwrap();
    assert!(Arc::ptr_eq(&first, &site.verify(&token).unwrap()));
    let over = now() + Duration::from_mins(6);
    assert_eq!(site.issuer.verify(&token, over), Err(InvalidToken::Expired));
}

#[test]
fn keys_that_are_replaced_verify_nothing_any_more() {
    let (old, new) = (Signer::new(Algorithm::EdDsa), Signer::new(Algorithm::EdDsa));
    let site = Site::new(None, &[named(&old, "old")]);
    let before = old.token(json!({ "kid": "old" }), &claims());
    assert!(site.verify(&before).is_ok());
    let keys = json!({ "keys": [named(&new, "new")], "comment": "replaced" });
    std::fs::write(site.folder.path().join("jwks.json"), keys.to_string()).unwrap();
    assert!(site.issuer.files().refresh());
    assert_eq!(site.verify(&before), Err(InvalidToken::Key));
    assert!(site.verify(&new.token(json!({ "kid": "new" }), &claims())).is_ok());
}

#[test]
fn files_without_a_key_that_could_verify_are_refused() {
    let read = |bundle: Option<&[u8]>, jwks: Option<&[u8]>| TrustedKeys::read(bundle, jwks).unwrap_err();
    assert!(matches!(read(Some(b""), None), InvalidKeys::Empty));
    assert!(matches!(read(None, Some(b"{")), InvalidKeys::NotJwks(_)));
    let secret = br#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
    assert!(matches!(read(None, Some(secret)), InvalidKeys::Empty));
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(read(Some(broken), None), InvalidKeys::NoCertificate(_)));
}
