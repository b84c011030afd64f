//! Names of uploads in progress.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of an upload: a UUID, so that nobody guesses another client's upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId(Uuid);

/// A text that is not the name of an upload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} does not name an upload: it is not a UUID")]
pub struct InvalidUploadId(String);

impl UploadId {
    /// A new name that no other upload has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for UploadId {
    type Err = InvalidUploadId;

    /// Accepts the one form that `Display` writes, so that an upload has one name only.
    fn from_str(text: &str) -> Result<Self, InvalidUploadId> {
        match Uuid::try_parse(text) {
            Ok(uuid) if uuid.to_string() == text => Ok(Self(uuid)),
            _ => Err(InvalidUploadId(text.to_owned())),
        }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for UploadId {
    type Error = InvalidUploadId;

    fn try_from(text: String) -> Result<Self, InvalidUploadId> {
        text.parse()
    }
}

impl From<UploadId> for String {
    fn from(id: UploadId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_has_one_form_only() {
        let id = UploadId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().replace('-', "").parse::<UploadId>().is_err());
        assert!(format!("{{{id}}}").parse::<UploadId>().is_err());
        assert!("..".parse::<UploadId>().is_err());
        assert_ne!(UploadId::random(), id);
    }
}
