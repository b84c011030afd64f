//! What manifests may refer to, as configured (`validation`).

/// Rules for pushed manifests beyond those of the specification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validation {
    /// Regular expressions: a URL of a layer must match one of them; all may, when there is none.
    pub urls_allow: Vec<String>,
    /// Regular expressions: a URL of a layer must match none of them.
    pub urls_deny: Vec<String>,
    /// Which images of an index must exist.
    pub index_platforms: IndexPlatforms,
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
