//! Patterns of repository names: `*` stands for any text within one path component, `**` for any components.

use std::str::FromStr;

use serde::Deserialize;

use super::RepositoryName;

/// A pattern such as `team/*` or `**`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RepositoryPattern(Vec<Component>);

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
    pub fn matches(&self, name: &RepositoryName) -> bool {
        let name = name.to_string();
        let components: Vec<&str> = name.split('/').collect();
        stands_for(&self.0, &components, Component::is_any, |_| false, Component::matches)
    }

    /// Whether the pattern stands for every name that `other` stands for. It may be true where this says no, as of
    /// `*/**` and `**`; never the reverse.
    pub fn covers(&self, other: &Self) -> bool {
        stands_for(&self.0, &other.0, Component::is_any, Component::is_any, Component::covers)
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

impl Component {
    fn is_any(&self) -> bool {
        *self == Self::Any
    }

    fn matches(&self, text: &&str) -> bool {
        match self {
            Self::Any => true,
            Self::One(part) => {
                stands_for(part.as_bytes(), text.as_bytes(), is_star, |_| false, |one, other| one == other)
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(wide), Self::One(narrow)) => {
                stands_for(wide.as_bytes(), narrow.as_bytes(), is_star, is_star, |one, other| one == other)
            }
            _ => self.is_any(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is called for bytes as for components")]
fn is_star(byte: &u8) -> bool {
    *byte == b'*'
}

/// Whether the symbols of `wide`, some of which stand for `any` number of symbols, stand for all that those of `narrow` do,
/// some of which may be `open` in the same way.
///
/// From the end to the start, so that the time is the product of both lengths whatever is written: patterns come from users
/// that are not trusted with more.
fn stands_for<W, N>(
    wide: &[W],
    narrow: &[N],
    any: impl Fn(&W) -> bool,
    open: impl Fn(&N) -> bool,
    one: impl Fn(&W, &N) -> bool,
) -> bool {
    // For each end of `narrow`, whether what was looked at of `wide` stands for it.
    let mut ends = vec![false; narrow.len() + 1];
    ends[narrow.len()] = true;
    for symbol in wide.iter().rev() {
        let mut with_symbol = vec![false; ends.len()];
        with_symbol[narrow.len()] = any(symbol) && ends[narrow.len()];
        for (index, other) in narrow.iter().enumerate().rev() {
            with_symbol[index] = if any(symbol) {
                ends[index] || with_symbol[index + 1]
            } else {
                ends[index + 1] && !open(other) && one(symbol, other)
            };
        }
        ends = with_symbol;
    }
    ends[0]
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
    fn a_pattern_covers_what_is_within_it_and_nothing_else() {
        let table = [
            ("**", "**", true),
            ("**", "a/*/b*", true),
            ("team/**", "team/**", true),
            ("team/**", "team/app", true),
            ("team/**", "team/*/web", true),
            ("team/**", "team", true),
            ("team/**", "teams/**", false),
            ("team/**", "**", false),
            ("team/**", "*/app", false),
            ("team/**", "team*/app", false),
            ("team/*", "team/**", false),
            ("team/*", "team/app-*", true),
            ("team/app-*", "team/*", false),
            ("team/app-*", "team/app-*-x", true),
            ("*-x", "app-*-x", true),
            ("*-x", "app-*", false),
            ("**/web", "a/**/web", true),
            ("**/web", "**", false),
            ("a/**/**/b", "a/**/b", true),
            ("app", "app", true),
            ("app", "*", false),
        ];
        for (wide, narrow, expected) in table {
            let parse = |text: &str| text.parse::<RepositoryPattern>().unwrap();
            assert_eq!(parse(wide).covers(&parse(narrow)), expected, "{wide} {narrow}");
        }
    }

    /// Names and patterns are tried against each other, so that a yes is never wrong.
    #[test]
    fn every_name_of_a_covered_pattern_is_a_name_of_the_pattern() {
        let parts = ["a", "b", "*", "a*", "*b", "**"];
        let mut patterns: Vec<String> = parts.map(str::to_owned).into();
        patterns.extend(parts.iter().flat_map(|one| parts.map(|other| format!("{one}/{other}"))));
        patterns.extend(parts.map(|one| format!("**/{one}/**")));
        let words = ["a", "b", "ab", "aab"];
        let mut names: Vec<String> = words.map(str::to_owned).into();
        names.extend(words.iter().flat_map(|one| words.map(|other| format!("{one}/{other}"))));
        names.extend(words.iter().flat_map(|one| words.map(|other| format!("{one}/a/{other}"))));
        let names: Vec<RepositoryName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let patterns: Vec<RepositoryPattern> = patterns.iter().map(|text| text.parse().unwrap()).collect();
        for wide in &patterns {
            for narrow in patterns.iter().filter(|narrow| wide.covers(narrow)) {
                let mut inside = names.iter().filter(|name| narrow.matches(name));
                assert!(inside.all(|name| wide.matches(name)), "{wide:?} {narrow:?}");
            }
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_more_time_than_another() {
        let pattern: RepositoryPattern = format!("{}x", "**/".repeat(80)).parse().unwrap();
        let name = vec!["a"; 120].join("/").parse().unwrap();
        assert!(!pattern.matches(&name));
        let pattern: RepositoryPattern = format!("{}x", "*a".repeat(100)).parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(200).parse().unwrap()));
    }

    #[test]
    fn what_can_match_no_name_is_refused() {
        for text in ["", "/a", "a//b", "Team/*", "a**", "a/ b"] {
            assert!(text.parse::<RepositoryPattern>().is_err(), "{text}");
        }
    }
}
