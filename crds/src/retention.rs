//! Which tags a registry keeps.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of some tags are kept. A tag that rules select is deleted unless one of them keeps it; a tag that no rule selects is
/// kept, and so is, in each repository, the one of a rule that was used last. Signatures stay with their images.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.keepLast) || has(self.olderThan) || has(self.semver)")
        .message("say what the rule keeps: set keepLast, olderThan or semver")
)]
pub struct RetentionRule {
    /// The repositories, such as `team/app` or `team/**`: `*` stands for any text within a component of the name, `**`
    /// for any components, alone for all repositories.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 255)))]
    pub repositories: Vec<String>,

    /// The tags, such as `pr-*`, where `*` stands for any text, or as regular expressions between slashes, such as
    /// `/^build-[0-9]+$/`. Without it, all tags of these repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 255)))]
    pub tags: Vec<String>,

    /// Keep so many tags of each repository: those that were pushed or pulled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub keep_last: Option<i32>,

    /// Whole hours, such as `336h`. Keep what was pushed or pulled within this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7), regex(pattern = r"^[0-9]+h$"))]
    pub older_than: Option<String>,

    /// Keep the newest versions, by semantic versioning. A rule with nothing else selects no tags but versions, such as
    /// `1.2.3` or `v1.2.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<VersionLimits>,
}

/// How many versions are kept, the newest of each. What is left out is not limited.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct VersionLimits {
    /// How many major versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub majors: Option<i32>,

    /// How many minor versions of each major one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minors: Option<i32>,

    /// How many versions of each minor one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub patches: Option<i32>,
}
