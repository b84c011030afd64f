//! The rules of `spec.gc.retention`, as the registry reads them.
//!
//! A rule can keep a tag that another one would delete, so that without it more is deleted: when one cannot be used, all of them
//! stay as they were.

use berth_crds::{Reason, retention::RetentionRule};
use k8s_openapi::api::core::v1::ConfigMap;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::Finding;
use crate::{
    metadata::Identity,
    registry::{build::Objects, observe::Observed},
};

const REPOSITORIES: &str = "write components of a-z, 0-9, `.`, `_`, `-` and `*`, separated by `/`; `**` must be a component of \
                            its own, as in \"team/**\"";
const TAGS: &str = "write a name of A-Z, a-z, 0-9, `.`, `_`, `-` and `*`, as in \"pr-*\"; a regular expression stands between \
                    slashes, as in \"/^pr-[0-9]+$/\"";

/// Which tags the registry keeps.
#[derive(Debug, Clone)]
pub struct Retention {
    /// The section of the registry's configuration, if there are rules.
    pub section: Option<Value>,
    /// What is wrong with the rules of the spec, if anything is.
    pub finding: Result<(), Finding>,
}

impl Retention {
    /// The key of the section in the registry's configuration.
    pub const SECTION: &str = "retention";
}

pub(super) fn validate(identity: &Identity, rules: &[RetentionRule], observed: &Observed) -> Retention {
    match check_all(rules) {
        Ok(()) => Retention { section: section(rules), finding: Ok(()) },
        Err(finding) => Retention { section: in_force(identity, observed), finding: Err(finding) },
    }
}

fn check_all(rules: &[RetentionRule]) -> Result<(), Finding> {
    rules.iter().enumerate().try_for_each(|(index, rule)| {
        check(rule).map_err(|(field, problem)| {
            let message = format!(
                "spec.gc.retention[{index}].{field}: {problem}. Until then the rules stay as they were before"
            );
            Finding::bad(Reason::InvalidRetention, message)
        })
    })
}

/// The field that cannot be used, and the middle of a sentence about it.
fn check(rule: &RetentionRule) -> Result<(), (&'static str, String)> {
    let repositories = rule
        .repositories
        .iter()
        .map(|pattern| check_repositories(pattern).map_err(|told| ("repositories", told)));
    let tags = rule.tags.iter().map(|pattern| check_tags(pattern).map_err(|told| ("tags", told)));
    repositories.chain(tags).collect()
}

fn check_repositories(pattern: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-*".contains(c);
    let is_component =
        |part: &str| part == "**" || (!part.is_empty() && !part.contains("**") && part.chars().all(allowed));
    let good = pattern.split('/').all(is_component);
    good.then_some(()).ok_or_else(|| format!("{pattern:?} is no pattern of repositories; {REPOSITORIES}"))
}

fn check_tags(pattern: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
    match pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        Some(expression) => Regex::new(expression)
            .map(drop)
            .map_err(|error| format!("{pattern:?} is no regular expression: {}", last_line(&error))),
        None if !pattern.is_empty() && pattern.chars().all(allowed) => Ok(()),
        None => Err(format!("{pattern:?} is no pattern of tags; {TAGS}")),
    }
}

/// The lines above draw an arrow to the place, which takes a fixed-width font.
fn last_line(error: &regex::Error) -> String {
    let told = error.to_string();
    let line = told.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn section(rules: &[RetentionRule]) -> Option<Value> {
    let rules: Vec<Value> = rules.iter().map(written).collect();
    (!rules.is_empty()).then(|| json!({"rules": rules}))
}

fn written(rule: &RetentionRule) -> Value {
    let RetentionRule { repositories, tags, keep_last, older_than, semver } = rule;
    let keep = [
        ("last", keep_last.map(|last| json!(last))),
        ("newerthan", older_than.as_ref().map(|age| json!(age))),
        ("semver", semver.map(|limits| json!(limits))),
    ];
    let keep = keep.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let keep: Map<_, _> = keep.collect();
    json!({"repositories": repositories, "tags": tags, "keep": keep})
}

/// The section that the registry has now.
fn in_force(identity: &Identity, observed: &Observed) -> Option<Value> {
    let config: ConfigMap = observed.children.get(&Objects::ids(identity).config.name)?;
    let file: Value = serde_json::from_str(config.data?.get("config.yml")?).ok()?;
    file.get(Retention::SECTION).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        children::{ChildId, Children, Kind},
        fixtures,
    };

    fn rules(yaml: &str) -> Vec<RetentionRule> {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn judged(yaml: &str, observed: &Observed) -> Retention {
        validate(&Identity::of(&fixtures::registry("{}")), &rules(yaml), observed)
    }

    fn message(yaml: &str) -> String {
        let finding = judged(yaml, &Observed::default()).finding.unwrap_err();
        assert_eq!(finding.reason, Reason::InvalidRetention);
        finding.message
    }

    /// What there is when the registry was given this configuration.
    fn configured(config: &Value) -> Observed {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub-config"},
            "data": {"config.yml": config.to_string()},
        });
        let mut children = Children::default();
        let id = ChildId::new(Kind::ConfigMap, "hub-config".to_owned());
        children.insert(id, serde_json::from_value(object).unwrap());
        Observed { children, ..Observed::default() }
    }

    #[test]
    fn rules_are_written_as_the_registry_reads_them() {
        let retention = judged(
            "[{repositories: [team/**], tags: ['pr-*', '/^build-[0-9]+$/'], keepLast: 5, olderThan: 336h}, \
              {repositories: ['**'], semver: {majors: 2, patches: 1}}]",
            &Observed::default(),
        );
        assert_eq!(retention.finding, Ok(()));
        assert_eq!(
            retention.section,
            Some(json!({"rules": [
                {"repositories": ["team/**"], "tags": ["pr-*", "/^build-[0-9]+$/"], "keep": {"last": 5, "newerthan": "336h"}},
                {"repositories": ["**"], "tags": [], "keep": {"semver": {"majors": 2, "patches": 1}}},
            ]}))
        );
        assert_eq!(judged("[]", &Observed::default()).section, None);
    }

    #[test]
    fn a_rule_that_cannot_be_used_is_named_with_what_to_write() {
        let told = message("[{repositories: [a], keepLast: 1}, {repositories: [Team], keepLast: 1}]");
        assert!(told.starts_with("spec.gc.retention[1].repositories: \"Team\" is no pattern"), "{told}");
        assert!(told.contains("\"team/**\""), "{told}");

        let told = message("[{repositories: [a], tags: ['/v(/'], keepLast: 1}]");
        assert!(
            told.starts_with("spec.gc.retention[0].tags: \"/v(/\" is no regular expression: unclosed group"),
            "{told}"
        );
        assert!(message("[{repositories: [a], tags: ['^v.+$'], keepLast: 1}]").contains("between slashes"));
    }

    #[test]
    fn bad_rules_leave_those_that_are_in_force() {
        let before = json!({"rules": [{"repositories": ["**"], "tags": [], "keep": {"last": 9}}]});
        let observed = configured(&json!({"version": 0.1, "retention": before}));
        let bad = "[{repositories: ['**'], keepLast: 1}, {repositories: ['A'], keepLast: 1}]";
        assert_eq!(judged(bad, &observed).section, Some(before));
        assert_eq!(judged(bad, &Observed::default()).section, None, "a new registry deletes nothing");
        assert_eq!(judged("[]", &observed).section, None);
    }
}
