//! The keys that our own tokens are signed with.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::{
    PrivatePkcs8KeyDer,
    pem::{self, PemObject},
};

use super::super::token::{PublicKey, TrustedKeys};

/// Before a new key is used, every server has had the time to learn of it.
pub(super) const GRACE: Duration = Duration::from_mins(10);

/// What is wrong with the file of keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidSigningKeys {
    #[error("tokens.key is not PEM")]
    NotPem(#[source] pem::Error),
    #[error(
        "tokens.key holds a key that is not of Ed25519; make one with `openssl genpkey -algorithm ed25519`"
    )]
    NotEd25519,
    #[error("tokens.key holds no private key; it must begin with -----BEGIN PRIVATE KEY-----")]
    Empty,
}

/// A key pair and its name. It cannot be printed.
pub(super) struct SigningKey {
    pub(super) id: String,
    pub(super) pair: Ed25519KeyPair,
    made: SystemTime,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The pair of a seed, which was made at that time.
    pub(super) fn from_seed(seed: &[u8], made: SystemTime) -> Option<Self> {
        Self::new(Ed25519KeyPair::from_seed_unchecked(seed).ok()?, made)
    }

    fn new(pair: Ed25519KeyPair, made: SystemTime) -> Option<Self> {
        let id = public(&pair)?.thumbprints().into_iter().next()?;
        Some(Self { id, pair, made })
    }
}

fn public(pair: &Ed25519KeyPair) -> Option<PublicKey> {
    PublicKey::edwards(pair.public_key().as_ref())
}

/// All keys that are in use, and what verifies what they have signed.
#[derive(Debug, Default)]
pub(super) struct SigningKeys {
    keys: Vec<SigningKey>,
    trusted: Arc<TrustedKeys>,
}

impl SigningKeys {
    pub(super) fn new(keys: Vec<SigningKey>) -> Self {
        let trusted = TrustedKeys::of(keys.iter().filter_map(|key| public(&key.pair)));
        Self { keys, trusted: Arc::new(trusted) }
    }

    /// Reads a file in PEM. The first key signs, the others only verify.
    pub(super) fn read(pem: &[u8]) -> Result<Self, InvalidSigningKeys> {
        let read = |der: Result<PrivatePkcs8KeyDer<'_>, pem::Error>| {
            let der = der.map_err(InvalidSigningKeys::NotPem)?;
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
            pair.ok().and_then(|pair| SigningKey::new(pair, UNIX_EPOCH)).ok_or(InvalidSigningKeys::NotEd25519)
        };
        let keys: Vec<_> = PrivatePkcs8KeyDer::pem_slice_iter(pem).map(read).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(InvalidSigningKeys::Empty) } else { Ok(Self::new(keys)) }
    }

    /// The key to sign with: the newest that every server knows by now, or else the oldest.
    pub(super) fn to_sign_with(&self, now: SystemTime) -> Option<&SigningKey> {
        let is_known = |key: &&SigningKey| now.duration_since(key.made).is_ok_and(|age| age >= GRACE);
        let by_age = |key: &&SigningKey| key.made;
        let known = self.keys.iter().rev().filter(is_known).max_by_key(by_age);
        known.or_else(|| self.keys.iter().min_by_key(by_age))
    }

    /// What verifies.
    pub(super) fn trusted(&self) -> &Arc<TrustedKeys> {
        &self.trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_signs_when_every_server_knows_it() {
        let made = UNIX_EPOCH + Duration::from_hours(1000);
        let key = |seed: u8, made| SigningKey::from_seed(&[seed; 32], made).unwrap();
        let (old, new) = (key(1, made), key(2, made + Duration::from_hours(1)));
        let ids = (old.id.clone(), new.id.clone());
        let keys = SigningKeys::new(vec![new, old]);
        let at = |after| keys.to_sign_with(made + after).unwrap().id.clone();
        assert_eq!(at(Duration::ZERO), ids.0);
        assert_eq!(at(Duration::from_hours(1) + GRACE / 2), ids.0);
        assert_eq!(at(Duration::from_hours(1) + GRACE), ids.1);
    }

    #[test]
    fn the_first_key_of_a_file_signs() {
        let pems: Vec<_> = (0..2)
            .map(|_| rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem())
            .collect();
        let both = SigningKeys::read(pems.concat().as_bytes()).unwrap();
        let first = SigningKeys::read(pems[0].as_bytes()).unwrap();
        let now = SystemTime::now();
        assert_eq!(both.to_sign_with(now).unwrap().id, first.to_sign_with(now).unwrap().id);
        assert_eq!(both.keys.len(), 2);
    }

    #[test]
    fn a_file_without_a_key_of_the_kind_is_refused() {
        assert!(matches!(SigningKeys::read(b"").unwrap_err(), InvalidSigningKeys::Empty));
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        assert!(matches!(SigningKeys::read(other.as_bytes()).unwrap_err(), InvalidSigningKeys::NotEd25519));
    }
}
