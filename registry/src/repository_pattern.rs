//! Patterns of repository names: `*` stands for any text within one path component, `**` for any components.

use std::str::FromStr;

use berth_oci::RepositoryName;
use serde::Deserialize;

/// A pattern such as `team/*` or `**`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RepositoryPattern(Vec<Component>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Component {
    /// `**`: any number of components, also none.
    Any,
    /// A component, in which each `*` stands for any text.
    One(String),
}

/// A text that is not a pattern.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a pattern of repository names: write components of a-z, 0-9, `.`, `_`, `-` and `*`, \
     separated by `/`; `**` must be a component of its own"
)]
pub struct InvalidPattern(String);

impl RepositoryPattern {
    /// Whether the pattern stands for this name.
    pub(crate) fn matches(&self, name: &RepositoryName) -> bool {
        let name = name.to_string();
        let components: Vec<&str> = name.split('/').collect();
        components_match(&self.0, &components)
    }
}

impl FromStr for RepositoryPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let component = |part: &str| match part {
            "**" => Some(Component::Any),
            part if is_component(part) => Some(Component::One(part.to_owned())),
            _ => None,
        };
        let components = text.split('/').map(component).collect::<Option<Vec<_>>>();
        components.map(Self).ok_or_else(|| InvalidPattern(text.to_owned()))
    }
}

impl TryFrom<String> for RepositoryPattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

fn is_component(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-*".contains(c);
    !part.is_empty() && !part.contains("**") && part.chars().all(allowed)
}

fn components_match(pattern: &[Component], name: &[&str]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((Component::Any, rest)), _) => {
            (0..=name.len()).any(|skipped| components_match(rest, &name[skipped..]))
        }
        (Some((Component::One(part), rest)), Some((component, others))) => {
            text_matches(part, component) && components_match(rest, others)
        }
        _ => false,
    }
}

/// Whether a component fits, where each `*` stands for any text.
fn text_matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|skipped| text_matches(after, &rest[skipped..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_within_a_component_and_double_stars_across() {
        let table = [
            ("**", "a/b/c", true),
            ("team/*", "team/app", true),
            ("team/*", "team/app/web", false),
            ("team/**", "team/app/web", true),
            ("team/**", "teams/app", false),
            ("**/web", "web", true),
            ("**/web", "a/b/web", true),
            ("app-*-x", "app-1-x", true),
            ("app-*-x", "app-1-y", false),
            ("app", "app", true),
            ("app", "app/web", false),
        ];
        for (pattern, name, expected) in table {
            let pattern: RepositoryPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&name.parse().unwrap()), expected, "{pattern:?} {name}");
        }
    }

    #[test]
    fn what_can_match_no_name_is_refused() {
        for text in ["", "/a", "a//b", "Team/*", "a**", "a/ b"] {
            assert!(text.parse::<RepositoryPattern>().is_err(), "{text}");
        }
    }
}
