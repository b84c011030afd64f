//! URLs that carry a permission to read.

use std::fmt;

/// A URL by which whoever has it reads one object, until it expires. For so long it is a secret: its query, which holds
/// the permission, is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl(String);

impl PresignedUrl {
    /// Such a URL, of ASCII characters.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole of it, for the one who is to read the object.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.split('?').next().unwrap_or_default();
        write!(f, "PresignedUrl({shown}?…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_permits_to_read_is_not_shown() {
        let url = PresignedUrl::new("https://s3.example.com/hub/a?X-Amz-Signature=0123");
        assert_eq!(format!("{url:?}"), "PresignedUrl(https://s3.example.com/hub/a?…)");
        assert!(url.reveal().ends_with("=0123"));
    }
}
