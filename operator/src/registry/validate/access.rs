//! The users of `spec.access`.

use berth_crds::{Reason, registry};
use k8s_openapi::api::core::v1::Secret;

use super::Finding;
use crate::registry::{credentials::text, htpasswd};

/// The users besides the operator's own.
#[derive(Debug)]
pub struct Access {
    /// Their lines for the htpasswd file; `None` leaves those that are there.
    pub users: Option<Vec<String>>,
    /// For the condition `AccessReady`.
    pub finding: Finding,
}

pub(super) fn validate(access: &registry::Access, secret: Option<&Secret>) -> Access {
    match users(access, secret) {
        Ok(users) => {
            let message = match (&access.htpasswd_secret_name, users.len()) {
                (Some(name), count) => format!("the users are admin, pull and {count} of Secret {name}"),
                (None, _) => "the users are admin and pull".to_owned(),
            };
            Access { users: Some(users), finding: Finding::good(Reason::Configured, message) }
        }
        Err(finding) => Access { users: None, finding },
    }
}

fn users(access: &registry::Access, secret: Option<&Secret>) -> Result<Vec<String>, Finding> {
    let Some(name) = &access.htpasswd_secret_name else {
        return Ok(Vec::new());
    };
    let secret = secret.ok_or_else(|| {
        let message = format!(
            "Secret {name} of spec.access.htpasswdSecretName does not exist: create it with \
             `kubectl create secret generic {name} --from-file=htpasswd=FILE`, or remove the field"
        );
        Finding::bad(Reason::SecretNotFound, message)
    })?;
    let file = text(secret, "htpasswd").ok_or_else(|| {
        let message =
            format!("Secret {name} has no text under the key htpasswd: store the file of users there");
        Finding::bad(Reason::InvalidHtpasswd, message)
    })?;
    htpasswd::parse(&file).map_err(|error| {
        let message = format!("Secret {name}, key htpasswd, {error}; until then the users stay as they were");
        Finding::bad(Reason::InvalidHtpasswd, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::credentials::tests::secret;

    fn access() -> registry::Access {
        registry::Access { htpasswd_secret_name: Some("team".to_owned()), ..registry::Access::default() }
    }

    #[test]
    fn without_a_secret_there_are_no_more_users() {
        let access = validate(&registry::Access::default(), None);
        assert_eq!(access.users, Some(Vec::new()));
        assert!(access.finding.good);
    }

    #[test]
    fn a_missing_secret_leaves_the_users_as_they_are_and_says_how_to_make_it() {
        let access = validate(&access(), None);
        assert_eq!(access.users, None);
        assert_eq!(access.finding.reason, Reason::SecretNotFound);
        assert!(
            access.finding.message.contains("kubectl create secret generic team --from-file=htpasswd=FILE")
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let access = validate(&access(), Some(&secret([("htpasswd", "bob:hunter2")])));
        assert_eq!(access.users, None);
        assert!(
            access.finding.message.starts_with("Secret team, key htpasswd, line 1: the hash is not bcrypt")
        );
        assert!(!access.finding.message.contains("hunter2"));
    }

    #[test]
    fn a_secret_without_the_key_is_told() {
        let access = validate(&access(), Some(&secret([("auth", "")])));
        assert_eq!(access.finding.reason, Reason::InvalidHtpasswd);
    }
}
