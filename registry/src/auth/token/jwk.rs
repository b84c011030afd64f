//! JSON Web Keys (RFC 7517): the public part of those kinds that can verify tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::public_key::PublicKey;

/// A set of keys.
#[derive(Debug, Deserialize)]
pub(super) struct JwkSet {
    pub(super) keys: Vec<Jwk>,
}

/// A key as it is written. What a private key has in addition is not read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    pub(super) kid: Option<String>,
    pub(super) alg: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    pub(super) x5c: Option<Vec<String>>,
}

impl Jwk {
    /// The key, if it is of a kind that is supported, well formed and meant for signatures.
    pub(super) fn key(&self) -> Option<PublicKey> {
        if self.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => PublicKey::rsa(&number(self.n.as_ref())?, &number(self.e.as_ref())?),
            ("EC", Some(curve)) => {
                PublicKey::elliptic(curve, &number(self.x.as_ref())?, &number(self.y.as_ref())?)
            }
            ("OKP", Some("Ed25519")) => PublicKey::edwards(&number(self.x.as_ref())?),
            _ => None,
        }
    }
}

fn number(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(json: &str) -> Option<PublicKey> {
        serde_json::from_str::<Jwk>(json).unwrap().key()
    }

    #[test]
    fn keys_of_signatures_are_read_and_others_are_passed_over() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let ed = format!(r#""kty":"OKP","crv":"Ed25519","x":"{x}","d":"private""#);
        assert_eq!(key(&format!("{{{ed}}}")), PublicKey::edwards(&[1; 32]));
        assert_eq!(key(&format!(r#"{{{ed},"use":"sig"}}"#)), PublicKey::edwards(&[1; 32]));
        assert_eq!(key(&format!(r#"{{{ed},"use":"enc"}}"#)), None);
        assert!(key(&format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}"}}"#)).is_some());
        for other in
            [r#"{"kty":"oct","k":"c2VjcmV0"}"#, r#"{"kty":"RSA"}"#, r#"{"kty":"OKP","crv":"X25519"}"#]
        {
            assert_eq!(key(other), None, "{other}");
        }
    }
}
