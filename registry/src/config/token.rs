//! Authentication by tokens, of somebody else, of ServiceAccounts or our own, as configured.

use std::{path::PathBuf, time::Duration};

use crate::auth::Algorithm;

/// Whose tokens let clients in (`auth.token`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where clients get their tokens.
    pub realm: TokenRealm,
    /// By which name tokens are meant for this registry.
    pub service: String,
    /// Who makes the tokens.
    pub issuer: String,
    /// The certificates of the keys that sign them, or of the authorities of those keys.
    pub certificates: Option<PathBuf>,
    /// The keys that sign them, as a JSON Web Key Set.
    pub jwks: Option<PathBuf>,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
}

/// Where clients get their tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRealm {
    /// At this URL.
    Url(String),
    /// At this path of the address by which they know the registry.
    Path(String),
}

/// The tokens that this server gives to users of the password file (`tokens`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTokens {
    /// By which name tokens are meant for this registry.
    pub service: String,
    /// For how long a token is good.
    pub lifetime: Duration,
    /// For how long a client gets new tokens without a password; none asks for it each time.
    pub refresh_lifetime: Duration,
    /// The private keys that sign them; `None` keeps keys in the storage.
    pub key: Option<PathBuf>,
}

/// The ServiceAccounts that come in by their tokens (`serviceaccounts`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccounts {
    /// Who makes the tokens: the issuer of the cluster's API server.
    pub issuer: String,
    /// For whom they have to be: one of these, and there is one.
    pub audiences: Vec<String>,
    /// The keys that sign them, as a JSON Web Key Set.
    pub keys: PathBuf,
}
