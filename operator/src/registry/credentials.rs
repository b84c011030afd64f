//! The two users that every registry has: `admin`, who may do everything, and `pull`, who may pull.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use k8s_openapi::api::core::v1::Secret;
use serde::{Deserialize, Serialize};

/// The user that may do everything.
pub const ADMIN: &str = "admin";

/// The user that may pull.
pub const PULL: &str = "pull";

/// A password.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// The password that `secret` holds already.
    pub fn held_by(secret: Option<&Secret>) -> Option<Self> {
        secret.and_then(|secret| text(secret, "password")).filter(|password| !password.is_empty()).map(Self)
    }

    /// 32 random bytes in 43 characters that need no quoting anywhere.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The password itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not the password.
impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// A key of a Secret as text, if it is there and is text.
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    let value = secret.data.as_ref()?.get(key)?;
    String::from_utf8(value.0.clone()).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    pub(crate) fn secret<const N: usize>(data: [(&str, &str); N]) -> Secret {
        let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
        Secret { data: Some(data.into()), ..Secret::default() }
    }

    #[test]
    fn a_password_that_is_there_is_taken_over_unless_it_is_empty() {
        let random = Password::random().unwrap();
        assert_eq!(random.as_str().len(), 43);
        assert_eq!(Password::held_by(Some(&secret([("password", random.as_str())]))), Some(random));
        assert_eq!(Password::held_by(Some(&secret([("password", "")]))), None);
        assert_eq!(Password::held_by(None), None);
    }

    #[test]
    fn a_password_is_not_printed() {
        assert_eq!(format!("{:?}", Password("hunter2".to_owned())), "Password(..)");
    }
}
