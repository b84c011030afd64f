//! The mirrors of other registries, as configured (`mirrors`, and `proxy` for the whole registry).

use std::{fmt, path::PathBuf, time::Duration};

use berth_oci::{Reference, RepositoryName};
use hyper::Uri;

use crate::http_client::Authorities;

/// A mirror of another registry: what is pulled through it comes from there once, and from the storage from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The host by which clients name the registry that is mirrored, such as `docker.io`.
    pub upstream: String,
    /// Below which name its repositories are here; `None` when the whole registry is this mirror.
    pub prefix: Option<RepositoryName>,
    /// Where it answers.
    pub url: Uri,
    /// Who we are there.
    pub credentials: MirrorCredentials,
    /// For how long a tag is believed before upstream is asked again; none asks each time.
    pub ttl: Duration,
    /// What nobody has pulled for so long is removed; `None` keeps it.
    pub keep: Option<Duration>,
    /// The certificates that upstream's leads to, beside those of the system.
    pub ca: Option<Authorities>,
    /// How many bytes it may take; what was pulled longest ago is removed. `None` sets no bound.
    pub limit: Option<u64>,
    /// Whether upstream is never asked.
    pub offline: bool,
    /// What is fetched before anybody asks for it.
    pub prefetch: Option<Prefetch>,
}

/// Who we are for a registry that is mirrored.
#[derive(Clone, PartialEq, Eq)]
pub enum MirrorCredentials {
    /// Nobody.
    None,
    /// A user with a password.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// A user whose password is read from a file, again whenever it is needed.
    PasswordFile {
        /// The user.
        username: String,
        /// The file.
        path: PathBuf,
    },
    /// Whom a credential helper names.
    Exec {
        /// The program, which is called with `get` as Docker calls its helpers.
        command: String,
        /// For how long its answer is used: none calls it for each request, `None` once.
        lifetime: Option<Duration>,
    },
}

/// No password is shown.
impl fmt::Debug for MirrorCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Password { username, .. } => write!(f, "Password({username})"),
            Self::PasswordFile { username, path } => {
                write!(f, "PasswordFile({username}, {})", path.display())
            }
            Self::Exec { command, .. } => write!(f, "Exec({command})"),
        }
    }
}

/// What a mirror fetches before anybody asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// The images, by their names at the upstream.
    pub images: Vec<(RepositoryName, Reference)>,
    /// How often they are looked for.
    pub interval: Duration,
}
