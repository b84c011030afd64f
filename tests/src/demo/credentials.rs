//! The credentials that the operator made, in the form that clients want.

use super::Hub;
use crate::cluster::Kubectl;
use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

/// A user name and a password.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// Those of the registry's administrator, from the Secret that the operator made.
    pub fn of(hub: &Hub) -> Result<Self> {
        let decode = |key| -> Result<String> { Ok(String::from_utf8(BASE64.decode(hub.admin(key)?)?)?) };
        Ok(Self { user: decode("username")?, password: decode("password")? })
    }

    /// Those of a Secret that the operator made, in a namespace of `kubectl`.
    pub fn stored(kubectl: &Kubectl, namespace: &str, secret: &str) -> Result<Self> {
        let decode = |key: &str| -> Result<String> {
            let object = ["--namespace", namespace, "secret", secret];
            Ok(String::from_utf8(BASE64.decode(kubectl.field(&object, &format!("{{.data.{key}}}"))?)?)?)
        };
        Ok(Self { user: decode("username")?, password: decode("password")? })
    }

    /// The content of a `config.json` that holds them for one host.
    pub fn docker_config(&self, host: &str) -> String {
        let auth = BASE64.encode(format!("{}:{}", self.user, self.password));
        json!({ "auths": { host: { "auth": auth } } }).to_string()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials { user: "admin".to_owned(), password: "s3cret".to_owned() }
    }

    #[test]
    fn the_docker_config_holds_user_and_password_for_the_host_alone() {
        let config = credentials().docker_config("hub.default.svc");
        assert_eq!(config, r#"{"auths":{"hub.default.svc":{"auth":"YWRtaW46czNjcmV0"}}}"#);
    }

    #[test]
    fn the_password_is_not_shown_by_debug() {
        assert!(!format!("{:?}", credentials()).contains("s3cret"));
    }
}
