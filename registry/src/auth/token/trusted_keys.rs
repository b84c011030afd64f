//! The keys whose tokens are good: those of a bundle of certificates, and those of a JSON Web Key Set.

use std::{borrow::Cow, collections::HashMap, time::SystemTime};

use rustls::pki_types::{CertificateDer, pem};

use super::{
    Algorithm, InvalidToken,
    certificates::Certificates,
    jwk::{Jwk, JwkSet},
    jwt::{Header, chain},
    public_key::PublicKey,
};

/// What is wrong with the files of the keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidKeys {
    #[error("auth.token.rootcertbundle is not PEM")]
    NotPem(#[source] pem::Error),
    #[error("auth.token.rootcertbundle holds a certificate that cannot be read")]
    NoCertificate(#[source] webpki::Error),
    #[error("it is not a JSON Web Key Set")]
    NotJwks(#[source] serde_json::Error),
    #[error(
        "there is no key that could verify a token: of RSA with 2048 bits or more, of the curves P-256 and P-384, or Ed25519"
    )]
    Empty,
}

/// A key, and the one algorithm that it is for, if it says so.
#[derive(Debug)]
struct TrustedKey {
    key: PublicKey,
    algorithm: Option<String>,
}

/// The keys by their names.
#[derive(Debug, Default)]
pub(in crate::auth) struct TrustedKeys {
    keys: HashMap<String, TrustedKey>,
    certificates: Certificates,
}

impl TrustedKeys {
    /// Reads the contents of the files that there are.
    pub(super) fn read(bundle: Option<&[u8]>, jwks: Option<&[u8]>) -> Result<Self, InvalidKeys> {
        let mut trusted = Self::default();
        if let Some(bundle) = bundle {
            trusted.certificates = Certificates::read(bundle)?;
            for (names, key) in trusted.certificates.keys() {
                trusted.keys.extend(named(&names, &key, None));
            }
        }
        if let Some(jwks) = jwks {
            let set: JwkSet = serde_json::from_slice(jwks).map_err(InvalidKeys::NotJwks)?;
            for written in set.keys {
                let Some(key) = written.key() else { continue };
                let names: Vec<_> = written.kid.into_iter().chain(key.thumbprints()).collect();
                trusted.keys.extend(named(&names, &key, written.alg.as_ref()));
            }
        }
        if trusted.keys.is_empty() { Err(InvalidKeys::Empty) } else { Ok(trusted) }
    }

    /// These keys, by their thumbprints.
    pub(in crate::auth) fn of(keys: impl Iterator<Item = PublicKey>) -> Self {
        let mut trusted = Self::default();
        for key in keys {
            trusted.keys.extend(named(&key.thumbprints(), &key, None));
        }
        trusted
    }

    /// The key that has to have signed a token with this header: of the chain that it brings along, of the key that it
    /// names, or of the key that it shows, if that is one of those here. What a token brings along is never enough.
    pub(super) fn key_for(
        &self,
        header: &Header,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Result<Cow<'_, PublicKey>, InvalidToken> {
        if !header.chain.is_empty() {
            return self.key_of_chain(&header.chain, now);
        }
        match (&header.jwk, &header.kid) {
            (Some(shown), _) => self.shown(shown, algorithm, now),
            (None, Some(name)) => self.named(name, algorithm),
            (None, None) => Err(InvalidToken::Key),
        }
    }

    fn shown(
        &self,
        shown: &Jwk,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Result<Cow<'_, PublicKey>, InvalidToken> {
        if let Some(texts) = shown.x5c.as_deref().filter(|texts| !texts.is_empty()) {
            return self.key_of_chain(&chain(texts)?, now);
        }
        let key = shown.key().ok_or(InvalidToken::Key)?;
        let thumbprint = key.thumbprints().into_iter().next().ok_or(InvalidToken::Key)?;
        self.named(&thumbprint, algorithm)
    }

    fn named(&self, name: &str, algorithm: Algorithm) -> Result<Cow<'_, PublicKey>, InvalidToken> {
        let found = self
            .keys
            .get(name)
            .filter(|trusted| trusted.algorithm.as_ref().is_none_or(|only| only.parse() == Ok(algorithm)));
        found.map(|trusted| Cow::Borrowed(&trusted.key)).ok_or(InvalidToken::Key)
    }

    fn key_of_chain(
        &self,
        chain: &[CertificateDer<'static>],
        now: SystemTime,
    ) -> Result<Cow<'_, PublicKey>, InvalidToken> {
        self.certificates.key_of(chain, now).map(Cow::Owned).ok_or(InvalidToken::Key)
    }
}

fn named<'a>(
    names: &'a [String],
    key: &'a PublicKey,
    algorithm: Option<&'a String>,
) -> impl Iterator<Item = (String, TrustedKey)> + 'a {
    names
        .iter()
        .map(move |name| (name.clone(), TrustedKey { key: key.clone(), algorithm: algorithm.cloned() }))
}
