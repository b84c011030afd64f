//! One rule: which tags it selects, and which of them it keeps.

use std::fmt;
use std::time::Duration;

use berth_oci::{InvalidPattern, RepositoryName, RepositoryPattern, Tag};
use serde::Deserialize;

use super::versions::version_of;
use crate::repository::tag_pattern::{InvalidTagPattern, TagPattern, subject_digits};

/// A rule for some tags of some repositories.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "WrittenRule")]
pub struct RetentionRule {
    repositories: Vec<RepositoryPattern>,
    tags: Vec<TagPattern>,
    pub(super) keep: Keep,
}

/// What a rule keeps. What is left out keeps nothing by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// So many tags, those that were used last.
    pub last: Option<usize>,
    /// What was used within so many seconds.
    pub newer_than_seconds: Option<u64>,
    /// Versions, by semantic versioning.
    pub semver: Option<VersionLimits>,
}

/// How many series of versions are kept, the newest of each. What is left out is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionLimits {
    /// How many major versions.
    pub majors: Option<usize>,
    /// How many minor versions of each major one.
    pub minors: Option<usize>,
    /// How many versions of each minor one.
    pub patches: Option<usize>,
}

/// A rule that cannot be meant so.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRule {
    /// A pattern of repositories is none.
    #[error(transparent)]
    Repositories(#[from] InvalidPattern),
    /// A pattern of tags is none.
    #[error(transparent)]
    Tags(#[from] InvalidTagPattern),
    /// Nothing is said of what is kept.
    #[error("a rule must say what it keeps: `last`, a time or `semver`")]
    KeepsNothing,
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenRule {
    #[serde(default)]
    repositories: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    keep: Keep,
}

impl TryFrom<WrittenRule> for RetentionRule {
    type Error = InvalidRule;

    fn try_from(rule: WrittenRule) -> Result<Self, InvalidRule> {
        Self::new(&rule.repositories, &rule.tags, rule.keep)
    }
}

impl RetentionRule {
    /// A rule for the tags that one of the patterns stands for, in the repositories that one stands for; no pattern stands
    /// for all.
    pub fn new(repositories: &[String], tags: &[String], keep: Keep) -> Result<Self, InvalidRule> {
        if keep == Keep::default() {
            return Err(InvalidRule::KeepsNothing);
        }
        let repositories = repositories.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let tags = tags.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Self { repositories, tags, keep })
    }

    /// Whether it selects tags of this repository.
    pub(super) fn applies_to(&self, repository: &RepositoryName) -> bool {
        self.repositories.is_empty() || self.repositories.iter().any(|pattern| pattern.matches(repository))
    }

    /// Whether it selects the tag. One that keeps nothing but versions has no say about other tags.
    pub(super) fn selects(&self, tag: &Tag) -> bool {
        let of_versions_only = self.keep.last.is_none() && self.keep.newer_than_seconds.is_none();
        let is_named = self.tags.is_empty() || self.tags.iter().any(|pattern| pattern.matches(tag));
        is_named && subject_digits(tag).is_none() && (!of_versions_only || version_of(tag).is_some())
    }
}

impl Keep {
    pub(super) fn newer_than(&self) -> Option<Duration> {
        self.newer_than_seconds.map(Duration::from_secs)
    }
}

impl fmt::Display for Keep {
    /// Continues a sentence that begins with "keeps".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.last.map(|last| format!("the last {last}"));
        let newer =
            self.newer_than().map(|age| format!("what was used within {} hours", age.as_secs() / 3600));
        let versions = self.semver.map(|limits| limits.to_string());
        let kept: Vec<_> = last.into_iter().chain(newer).chain(versions).collect();
        f.write_str(&kept.join(", and "))
    }
}

impl fmt::Display for VersionLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.majors.map(|majors| format!("{majors} major versions")),
            self.minors.map(|minors| format!("{minors} minor versions of each")),
            self.patches.map(|patches| format!("{patches} versions of each minor one")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("all versions") } else { f.write_str(&parts.join(" with ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(tags: &[&str], keep: Keep) -> Result<RetentionRule, InvalidRule> {
        RetentionRule::new(&[], &tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>(), keep)
    }

    fn last(number: usize) -> Keep {
        Keep { last: Some(number), ..Keep::default() }
    }

    fn selects(rule: &RetentionRule, tag: &str) -> bool {
        rule.selects(&tag.parse().unwrap())
    }

    #[test]
    fn tags_are_selected_by_names_with_stars_and_by_regular_expressions() {
        let rule = rule(&["v*", "/^pr-[0-9]+$/"], last(1)).unwrap();
        assert!(selects(&rule, "v1") && selects(&rule, "pr-12"));
        assert!(!selects(&rule, "dev") && !selects(&rule, "pr-12a") && !selects(&rule, "av1"));
    }

    #[test]
    fn tags_of_referrers_are_never_selected() {
        let rule = rule(&[], last(1)).unwrap();
        assert!(!selects(&rule, &format!("sha256-{}.sig", "a".repeat(64))));
        assert!(selects(&rule, "sha256-notes"));
    }

    #[test]
    fn a_rule_for_versions_alone_has_no_say_about_other_tags() {
        let semver = Some(VersionLimits { majors: Some(1), ..VersionLimits::default() });
        let versions = rule(&[], Keep { semver, ..Keep::default() }).unwrap();
        assert!(selects(&versions, "v1.2.3") && !selects(&versions, "latest"));
        let both = rule(&[], Keep { semver, ..last(1) }).unwrap();
        assert!(selects(&both, "latest"));
    }

    #[test]
    fn a_rule_that_cannot_be_meant_so_is_refused() {
        assert!(matches!(rule(&[], Keep::default()), Err(InvalidRule::KeepsNothing)));
        for pattern in ["", "/(/", "a b", "[a"] {
            assert!(matches!(rule(&[pattern], last(1)), Err(InvalidRule::Tags(_))), "{pattern}");
        }
        let misspelt = serde_json::from_str::<RetentionRule>(r#"{"tag": ["v*"], "keep": {"last": 1}}"#);
        assert!(misspelt.unwrap_err().to_string().contains("tag"));
    }
}
