//! Why another registry did not do what it was asked for, as its callers can act on it.

use std::{error::Error as StdError, path::PathBuf, sync::Arc, time::Duration};

use hyper::http::uri::Authority;

use crate::http_client::Untrusted;

/// What a request to another registry comes to.
pub type Result<T> = std::result::Result<T, Error>;

/// What happened inside of a failure. Cheap to clone, so that all who wait for the same answer hear of it.
pub type Cause = Arc<dyn StdError + Send + Sync>;

/// Why another registry did not do what it was asked for. Nothing here holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The address cannot be one of a registry.
    #[error("this is no address of a registry: {0}")]
    Address(&'static str),
    /// It cannot be decided whom to trust.
    #[error("cannot decide which servers to trust")]
    Trust(#[source] Arc<Untrusted>),
    /// No credentials can be shown, because the program that tells them failed.
    #[error("the credential helper {helper} {reason}")]
    Helper {
        /// The program.
        helper: String,
        /// What it did.
        reason: String,
    },
    /// The file of a password is missing, or not readable.
    #[error("cannot read the password in {}", .path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// It is not there, or not for this user.
    #[error("{server} does not have {what}")]
    NotFound {
        /// Host and port.
        server: Authority,
        /// What was asked for.
        what: String,
    },
    /// The credentials are wrong, or missing.
    #[error("{server} wants other credentials{}", behind_colon(.said))]
    Unauthorized {
        /// Host and port.
        server: Authority,
        /// What it said.
        said: String,
    },
    /// The user may not do this.
    #[error("{server} forbids this{}", behind_colon(.said))]
    Denied {
        /// Host and port.
        server: Authority,
        /// What it said.
        said: String,
    },
    /// It was asked too often.
    #[error("{server} was asked too often")]
    RateLimited {
        /// Host and port.
        server: Authority,
        /// How long it wants to be left alone, when it said so.
        retry_after: Option<Duration>,
    },
    /// There is no answer, or one that tells of trouble: another attempt may succeed.
    #[error("{server} {reason}")]
    Unavailable {
        /// Host and port.
        server: Authority,
        /// What happened.
        reason: String,
        /// What the system, or a library, said.
        source: Option<Cause>,
    },
    /// The answer is none that a registry gives, or not what was asked for: another attempt is in vain.
    #[error("{server} answers wrongly: {reason}")]
    Invalid {
        /// Host and port.
        server: Authority,
        /// What is wrong.
        reason: String,
    },
}

fn behind_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Error {
    /// Whether the same request may succeed a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
