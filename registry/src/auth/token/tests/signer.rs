//! An issuer's key of any kind, and the tokens that it signs.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::KeyPair;
use ring::{
    rand::SystemRandom,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

use crate::auth::token::{Algorithm, public_key::PublicKey};

/// A key of RSA, which takes long to make, and signs nothing but the tokens of these tests.
const RSA: &[u8] = include_bytes!("rsa.pk8");

/// A key pair that signs by one algorithm.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pub(super) pair: KeyPair,
}

impl Signer {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let pair = match algorithm {
            Algorithm::Es256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Algorithm::Es384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Algorithm::EdDsa => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            _ => KeyPair::try_from(RSA),
        };
        Self { algorithm, pair: pair.unwrap() }
    }

    /// The same key for another algorithm.
    pub(super) fn by(&self, algorithm: Algorithm) -> Self {
        Self { algorithm, pair: KeyPair::try_from(self.pair.serialized_der()).unwrap() }
    }

    /// The public key as a JSON Web Key without a name.
    pub(super) fn jwk(&self) -> Value {
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        match self.key() {
            PublicKey::Rsa { n, e } => json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) }),
            PublicKey::Ed25519(x) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&x) }),
            PublicKey::P256(point) | PublicKey::P384(point) => {
                let (x, y) = point[1..].split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
        }
    }

    pub(super) fn thumbprint(&self) -> String {
        self.key().thumbprints().remove(0)
    }

    fn key(&self) -> PublicKey {
        use rcgen::PublicKeyData;
        let info = self.pair.subject_public_key_info();
        PublicKey::from_info(crate::auth::token::der::take(&mut &*info, 0x30).unwrap()).unwrap()
    }

    /// A token; the header gets the algorithm, if it names none.
    pub(super) fn token(&self, mut header: Value, claims: &Value) -> String {
        if header["alg"].is_null() {
            header["alg"] = json!(self.algorithm.to_string());
        }
        let encode = |document: &Value| URL_SAFE_NO_PAD.encode(document.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes())))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let (pair, random) = (self.pair.serialized_der(), SystemRandom::new());
        let elliptic = |algorithm| {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, pair, &random).unwrap();
            pair.sign(&random, message).unwrap().as_ref().to_vec()
        };
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let pair = RsaKeyPair::from_pkcs8(pair).unwrap();
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(encoding, &random, message, &mut signature).unwrap();
            signature
        };
        match self.algorithm {
            Algorithm::Es256 => elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pair).unwrap();
                pair.sign(message).as_ref().to_vec()
            }
            Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::Ps256 => rsa(&signature::RSA_PSS_SHA256),
            Algorithm::Ps384 => rsa(&signature::RSA_PSS_SHA384),
            Algorithm::Ps512 => rsa(&signature::RSA_PSS_SHA512),
        }
    }
}
