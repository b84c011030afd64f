//! Media types: what kind of content some bytes are (image specification, media-types.md).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A media type such as `application/vnd.oci.image.manifest.v1+json`, kept exactly as it was written.
///
/// Any type that HTTP could carry is accepted, because artifacts invent their own.
#[derive(Debug, Clone, Eq, Hash, PartialEq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

/// A text that is not a media type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "media type {0:?} is not allowed: write it as type/subtype, in at most 255 printable ASCII characters"
)]
pub struct InvalidMediaType(String);

impl MediaType {
    /// An OCI image manifest.
    pub const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The artifact manifest of a release candidate of OCI 1.1, still found in registries.
    pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
    /// A Docker image manifest, version 2, schema 2.
    pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, version 2, schema 1, without signatures.
    pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
    /// A Docker image manifest, version 2, schema 1, with signatures.
    pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

    /// Bytes.
    pub const OCTET_STREAM: &str = "application/octet-stream";

    /// The type as it was written, parameters included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type without its parameters.
    pub fn essence(&self) -> &str {
        self.0.split_once(';').map_or(&*self.0, |(essence, _)| essence).trim_end()
    }

    /// The same type without its parameters.
    pub fn without_parameters(&self) -> Self {
        Self(self.essence().to_owned())
    }

    /// A type that HTTP clients send of their own accord, and that says nothing about what the content is.
    pub fn is_generic(&self) -> bool {
        const GENERIC: [&str; 4] = [
            "application/json",
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            "text/plain",
        ];
        GENERIC.contains(&self.essence())
    }

    /// An image manifest, of OCI or of Docker's schema 2.
    pub fn is_image(&self) -> bool {
        matches!(self.essence(), Self::OCI_IMAGE | Self::DOCKER_IMAGE)
    }

    /// An image index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        matches!(self.essence(), Self::OCI_INDEX | Self::DOCKER_LIST)
    }

    /// A Docker manifest of schema 1, which is served but no longer taken in.
    pub fn is_schema1(&self) -> bool {
        matches!(self.essence(), Self::DOCKER_SCHEMA1 | Self::DOCKER_SCHEMA1_SIGNED)
    }

    /// A layer that by its type need not be in the registry: foreign (Docker) or non-distributable (OCI).
    pub fn is_nondistributable(&self) -> bool {
        self.0.contains(".layer.nondistributable.") || self.0.contains(".rootfs.foreign.")
    }

    /// The kind of a manifest that does not say what it is and has no list of manifests.
    pub fn default_of_manifests() -> Self {
        Self::from_constant(Self::OCI_IMAGE)
    }

    /// The kind of an index, as OCI names it.
    pub fn of_indexes() -> Self {
        Self::from_constant(Self::OCI_INDEX)
    }

    /// The kind of content that nobody knows more about.
    pub fn default_of_blobs() -> Self {
        Self::from_constant(Self::OCTET_STREAM)
    }

    pub(crate) fn from_constant(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default();
    let has_both_parts =
        essence.split_once('/').is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty());
    has_both_parts && text.len() <= 255 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for MediaType {
    type Error = InvalidMediaType;

    fn try_from(text: String) -> Result<Self, InvalidMediaType> {
        if is_media_type(&text) { Ok(Self(text)) } else { Err(InvalidMediaType(text)) }
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_essence_leaves_the_parameters_out() {
        let media_type: MediaType =
            "application/vnd.oci.image.index.v1+json ; charset=utf-8".parse().unwrap();
        assert_eq!(media_type.essence(), MediaType::OCI_INDEX);
        assert!(media_type.is_index() && !media_type.is_image());
        assert_eq!(media_type.without_parameters().as_str(), MediaType::OCI_INDEX);
    }

    #[test]
    fn types_that_say_nothing_are_told_from_those_that_do() {
        for (text, expected) in [("application/json; charset=utf-8", true), (MediaType::OCI_IMAGE, false)] {
            assert_eq!(text.parse::<MediaType>().unwrap().is_generic(), expected, "{text}");
        }
    }

    #[test]
    fn what_a_header_could_not_carry_is_refused() {
        for text in
            ["", "json", "/json", "application/", "a/b\r\nX: y", "a/ü", &format!("a/{}", "b".repeat(254))]
        {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn layers_that_stay_elsewhere_are_told_by_their_type() {
        for text in [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        ] {
            assert!(text.parse::<MediaType>().unwrap().is_nondistributable(), "{text}");
        }
        assert!(!MediaType::from_constant(MediaType::OCI_IMAGE).is_nondistributable());
    }
}
