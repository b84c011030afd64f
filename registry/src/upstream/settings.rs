//! What is known of another registry before it is asked.

use std::{fmt, path::PathBuf, time::Duration};

use hyper::Uri;
use rustls::pki_types::ServerName;

use crate::http_client::Authorities;

/// How long another registry may be silent when nothing else is said.
const SILENCE: Duration = Duration::from_mins(1);

/// Where another registry is, and who asks it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://HOST[:PORT]`, or `http://` of a registry without TLS. A path stands in front of `/v2/`.
    pub url: Uri,
    /// Who asks.
    pub credentials: Credentials,
    /// Who is trusted besides the authorities of the system.
    pub authorities: Option<Authorities>,
    /// The name in the registry's certificate, where it is another than its host's.
    pub server_name: Option<ServerName<'static>>,
    /// How long the registry may be silent: before its answer, and between two pieces of a body. A body itself may take
    /// as long as it takes.
    pub silence: Duration,
}

impl Settings {
    /// The registry at `url`, asked by nobody in particular.
    pub fn new(url: Uri) -> Self {
        Self {
            url,
            credentials: Credentials::Anonymous,
            authorities: None,
            server_name: None,
            silence: SILENCE,
        }
    }
}

/// Who asks another registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// A user with a password.
    Password {
        /// The user's name.
        user: String,
        /// The password, or what stands for it.
        password: String,
    },
    /// What stands for a user who has logged in elsewhere, and is exchanged for tokens. A registry that asks for a password itself
    /// takes none.
    IdentityToken(String),
    /// A user whose password stands in a file, which is read whenever it is shown: it may change.
    PasswordFile {
        /// The user's name.
        user: String,
        /// The file; a line break at its end does not count.
        path: PathBuf,
    },
    /// Whom a program names, by the protocol of Docker's credential helpers.
    Helper {
        /// The program, which is called with the argument `get`.
        command: PathBuf,
        /// How long its answer holds. Without it, the program is asked once, and again when its answer is refused; with
        /// zero, for every request that shows credentials.
        lifetime: Option<Duration>,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::IdentityToken(_) => f.write_str("IdentityToken"),
            // The password stays out.
            Self::Password { user, .. } => {
                f.debug_struct("Password").field("user", user).finish_non_exhaustive()
            }
            Self::PasswordFile { user, path } => {
                f.debug_struct("PasswordFile").field("user", user).field("path", path).finish()
            }
            Self::Helper { command, lifetime } => {
                f.debug_struct("Helper").field("command", command).field("lifetime", lifetime).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let credentials = Credentials::Password { user: "ann".to_owned(), password: "geheim".to_owned() };
        let settings = Settings { credentials, ..Settings::new(Uri::from_static("https://hub.example.com")) };
        let shown = format!("{settings:?}");
        assert!(shown.contains("ann") && !shown.contains("geheim"), "{shown}");
    }
}
