//! Which URLs the layers of a pushed manifest may name.

use berth_oci::Manifest;
use regex::RegexSet;

use super::{Error, Result};

/// Expressions that the URLs of layers are held against.
#[derive(Debug, Clone, Default)]
pub struct LayerUrls {
    /// A URL must match one of them, if there are any.
    pub allow: RegexSet,
    /// A URL must match none of them.
    pub deny: RegexSet,
}

impl LayerUrls {
    /// Fails for the first URL that is not allowed.
    pub(super) fn check(&self, manifest: &Manifest) -> Result<()> {
        let urls = manifest.layers().filter_map(|layer| layer.urls.as_ref()).flatten();
        match urls.into_iter().find(|url| !self.allows(url)) {
            Some(url) => Err(Error::UrlNotAllowed(url.clone())),
            None => Ok(()),
        }
    }

    fn allows(&self, url: &str) -> bool {
        (self.allow.is_empty() || self.allow.is_match(url)) && !self.deny.is_match(url)
    }
}

impl PartialEq for LayerUrls {
    fn eq(&self, other: &Self) -> bool {
        self.allow.patterns() == other.allow.patterns() && self.deny.patterns() == other.deny.patterns()
    }
}

impl Eq for LayerUrls {}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(allow: &[&str], deny: &[&str]) -> LayerUrls {
        LayerUrls { allow: RegexSet::new(allow).unwrap(), deny: RegexSet::new(deny).unwrap() }
    }

    #[test]
    fn without_expressions_every_url_is_allowed() {
        assert!(LayerUrls::default().allows("https://example.com/layer"));
    }

    #[test]
    fn a_url_matches_one_that_allows_and_none_that_denies() {
        let urls = urls(&["^https?://foo/", "^https://bar/"], &["^https?://foo/nope"]);
        assert!(urls.allows("http://foo/layer") && urls.allows("https://bar/layer"));
        assert!(!urls.allows("http://foo/nope/layer") && !urls.allows("https://example.com/layer"));
    }

    #[test]
    fn a_layer_that_names_such_a_url_makes_the_manifest_invalid() {
        let zeros = "0".repeat(64);
        let blob =
            |media_type: &str| format!(r#""mediaType":"{media_type}","digest":"sha256:{zeros}","size":1"#);
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{{}}},"layers":[{{{},"urls":["https://foo/a","https://bar/b"]}}]}}"#,
            blob("application/vnd.oci.image.config.v1+json"),
            blob("application/vnd.oci.image.layer.v1.tar"),
        );
        let manifest = Manifest::parse(manifest.as_bytes(), None).unwrap();
        assert!(urls(&["^https://"], &[]).check(&manifest).is_ok());
        let error = urls(&[], &["^https://bar/"]).check(&manifest).unwrap_err();
        assert!(matches!(error, Error::UrlNotAllowed(url) if url == "https://bar/b"));
    }
}
