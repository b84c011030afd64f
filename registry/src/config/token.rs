//! Authentication by tokens of somebody else, as configured.

use std::path::PathBuf;

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
