//! What manifests may refer to, as configured (`validation`).

use regex::RegexSet;

/// Rules for pushed manifests beyond those of the specification.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// Regular expressions: a URL of a layer must match one of them; all may, when there is none.
    pub urls_allow: RegexSet,
    /// Regular expressions: a URL of a layer must match none of them.
    pub urls_deny: RegexSet,
    /// Which layers of an image must exist.
    pub image_layers: ImageLayers,
    /// Which images of an index must exist.
    pub index_platforms: IndexPlatforms,
}

impl PartialEq for Validation {
    fn eq(&self, other: &Self) -> bool {
        self.urls_allow.patterns() == other.urls_allow.patterns()
            && self.urls_deny.patterns() == other.urls_deny.patterns()
            && self.image_layers == other.image_layers
            && self.index_platforms == other.index_platforms
    }
}

impl Eq for Validation {}

/// Which layers of an image must exist when the image is pushed (`validation.manifests.images.layers`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageLayers {
    /// All of them.
    #[default]
    All,
    /// None of them: sparse images are taken in.
    None,
}

/// Which images of an index must exist when the index is pushed (`validation.manifests.indexes`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IndexPlatforms {
    /// All of them.
    #[default]
    All,
    /// None of them: sparse indexes are taken in.
    None,
    /// Those for these platforms.
    List(Vec<Platform>),
}

/// A platform that an image runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `linux`.
    pub os: String,
}
