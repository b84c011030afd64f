//! Tokens of somebody else (`auth.token`): an issuer says in a signed token what its bearer may do.
//!
//! The work before a signature is known to be right is bounded: the length of the token, a header of JSON, at most one
//! chain of four certificates and one signature. Nothing of a token is logged or told, not even in part.

mod algorithm;
mod certificates;
mod claims;
mod der;
mod grants;
mod jwk;
mod jwt;
mod public_key;
mod service_account;
#[cfg(test)]
mod tests;
mod trusted_keys;
mod verified;

use std::{
    error::Error,
    slice,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub(super) use grants::{Access, CATALOG, Grants, REGISTRY, REPOSITORY};
pub(super) use public_key::PublicKey;
pub(super) use service_account::{ServiceAccount, ServiceAccountTokens, is_service_account};
pub(super) use trusted_keys::TrustedKeys;

use self::{claims::Claims, jwt::Jwt, verified::Verified};
use crate::{
    config,
    reloading::{LoadError, Refresh, Reloading},
};

/// Why a token is not good. It tells nothing of the token, and may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// More than is looked at.
    #[error("it is longer than {} bytes", jwt::LONGEST)]
    TooLong,
    /// Not a JSON Web Token, or one with more than is understood.
    #[error("it is not a JSON Web Token that can be read")]
    Malformed,
    /// One that is not supported, or that the configuration does not allow.
    #[error("it is signed by an algorithm that is not allowed here")]
    Algorithm,
    /// No trusted key is the one that it names or brings along.
    #[error("it is signed by a key that is not trusted here")]
    Key,
    /// The key has not signed it.
    #[error("its signature is wrong")]
    Signature,
    /// `iss` is another.
    #[error("it is by another issuer")]
    Issuer,
    /// `aud` is another.
    #[error("it is meant for another service")]
    Audience,
    /// `exp` is over, or missing.
    #[error("it has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("it is not valid yet")]
    NotYet,
    /// `sub` is not a ServiceAccount's, or the claims of Kubernetes name another.
    #[error("it is not the token of a ServiceAccount")]
    Subject,
    /// The user is gone, or has another password.
    #[error("its user has another password now, or is gone")]
    Revoked,
}

/// Whoever shows a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Whom the token speaks for; empty when that is nobody in particular.
    pub subject: Arc<str>,
    /// What the token allows.
    pub(super) grants: Grants,
    /// The password of the user that it was given to, as our own tokens name it.
    pub(super) password: Option<String>,
}

/// Whoever makes the tokens, and how they are verified.
#[derive(Debug)]
pub(super) struct Issuer {
    config: config::Token,
    keys: Arc<Reloading<TrustedKeys>>,
    verifier: Verifier,
}

impl Issuer {
    /// Opens the files of the keys.
    pub(super) fn open(config: config::Token) -> Result<Self, LoadError> {
        let has_bundle = config.certificates.is_some();
        let paths = config.certificates.iter().chain(&config.jwks).cloned().collect();
        let parse = move |contents: &[Vec<u8>]| {
            let mut contents = contents.iter().map(Vec::as_slice);
            let bundle = if has_bundle { contents.next() } else { None };
            TrustedKeys::read(bundle, contents.next()).map_err(Box::<dyn Error + Send + Sync>::from)
        };
        let keys = Reloading::open("the keys of tokens (auth.token)", paths, parse)?;
        let verifier = Verifier::new(&config.issuer, &config.service, &config.algorithms);
        Ok(Self { config, keys: Arc::new(keys), verifier })
    }

    /// The configuration.
    pub(super) fn config(&self) -> &config::Token {
        &self.config
    }

    /// The files of the keys.
    pub(super) fn files(&self) -> Arc<dyn Refresh> {
        Arc::clone(&self.keys) as _
    }

    /// Whoever shows this token, if it is good at the moment.
    pub(super) fn verify(&self, token: &str, now: SystemTime) -> Result<Arc<Bearer>, InvalidToken> {
        self.verifier.verify(token, &self.keys.current(), now)
    }
}

/// What a token has to be: by whom, for whom, and signed how.
#[derive(Debug)]
pub(super) struct Verifier {
    issuer: String,
    service: String,
    algorithms: Vec<Algorithm>,
    verified: Verified<Bearer>,
}

impl Verifier {
    pub(super) fn new(issuer: &str, service: &str, algorithms: &[Algorithm]) -> Self {
        let (issuer, service) = (issuer.to_owned(), service.to_owned());
        Self { issuer, service, algorithms: algorithms.to_vec(), verified: Verified::default() }
    }

    /// Whoever shows this token, if it is good at the moment and one of the keys has signed it.
    pub(super) fn verify(
        &self,
        token: &str,
        keys: &Arc<TrustedKeys>,
        now: SystemTime,
    ) -> Result<Arc<Bearer>, InvalidToken> {
        if let Some(known) = self.verified.get(token, keys, now) {
            return Ok(known);
        }
        let claims: Claims = signed(token, keys, &self.algorithms, now)?.claims()?;
        let end = claims.check(&self.issuer, slice::from_ref(&self.service), now)?;
        let bearer = Arc::new(Bearer {
            subject: claims.sub.unwrap_or_default().into(),
            grants: Grants::new(claims.access.unwrap_or_default()),
            password: claims.password,
        });
        let rest = end.duration_since(now).unwrap_or(Duration::ZERO);
        self.verified.remember(token, Arc::clone(keys), now, rest, &bearer);
        Ok(bearer)
    }
}

/// The token taken apart, if one of the keys has signed it by one of the algorithms.
fn signed<'a>(
    token: &'a str,
    keys: &TrustedKeys,
    algorithms: &[Algorithm],
    now: SystemTime,
) -> Result<Jwt<'a>, InvalidToken> {
    let jwt = Jwt::parse(token)?;
    let algorithm = jwt.header.algorithm()?;
    if !algorithms.contains(&algorithm) {
        return Err(InvalidToken::Algorithm);
    }
    let key = keys.key_for(&jwt.header, algorithm, now)?;
    if algorithm.verifies(&key, jwt.message.as_bytes(), &jwt.signature) {
        Ok(jwt)
    } else {
        Err(InvalidToken::Signature)
    }
}
