//! What can be wrong with a configuration, told so that the user can correct it.

use std::{fmt, io, path::PathBuf};

use super::keys;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A command line option.
    Option(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Option(name) => write!(f, "option {name}"),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is missing or not readable.
    #[error("cannot read the configuration file {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not YAML.
    #[error("{origin}: this is not valid YAML")]
    Syntax {
        /// Where the text was written.
        origin: Origin,
        /// Line, column and reason.
        source: serde_yaml::Error,
    },
    /// A key that does not exist.
    #[error("{origin}: there is no key `{key}`; {}", allowed(.key))]
    UnknownKey {
        /// Where it was written.
        origin: Origin,
        /// The whole path of the key.
        key: String,
    },
    /// A value that the key does not take.
    #[error("{origin}: `{key}` must be {expected}, but is {found}")]
    Value {
        /// Where it was written.
        origin: Origin,
        /// The whole path of the key.
        key: String,
        /// What the key takes.
        expected: &'static str,
        /// What was written.
        found: String,
    },
    /// A key that this server does not support.
    #[error("{origin}: `{key}`: {instead}")]
    Refused {
        /// Where it was written.
        origin: Origin,
        /// The whole path of the key.
        key: String,
        /// What to do about it.
        instead: &'static str,
    },
    /// A key that other keys make necessary.
    #[error("`{key}` is missing: {why}")]
    Missing {
        /// The whole path of the key.
        key: &'static str,
        /// What asks for it, and what to write.
        why: &'static str,
    },
    /// More than one alternative of a section was chosen.
    #[error("`{section}` names {}: keep one of them", .chosen.join(" and "))]
    Ambiguous {
        /// `storage` or `auth`.
        section: &'static str,
        /// The alternatives that were found.
        chosen: Vec<String>,
    },
}

/// Says which names are allowed where an unknown key stands, the likeliest first.
fn allowed(key: &str) -> String {
    let (group, name) = key.rsplit_once('.').unwrap_or(("", key));
    let names = keys::names_below(group);
    let place = if group.is_empty() { "at the top".to_owned() } else { format!("below `{group}`") };
    let list = names.join(", ");
    match likeliest(name, &names) {
        Some(meant) => format!("did you mean `{meant}`? Allowed {place}: {list}"),
        None => format!("allowed {place}: {list}"),
    }
}

/// The allowed name that a misspelt one resembles, if any does.
fn likeliest<'a>(name: &str, allowed: &[&'a str]) -> Option<&'a str> {
    allowed
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_answered_with_the_likeliest_and_all_allowed_names() {
        let error =
            Error::UnknownKey { origin: Origin::File("c.yml".into()), key: "storage.delete.enable".into() };
        assert_eq!(
            error.to_string(),
            "c.yml: there is no key `storage.delete.enable`; did you mean `enabled`? \
             Allowed below `storage.delete`: enabled"
        );
    }

    #[test]
    fn a_name_that_resembles_nothing_gets_the_list_alone() {
        assert_eq!(likeliest("zebra", &["addr", "host"]), None);
        assert_eq!(likeliest("adr", &["addr", "host"]), Some("addr"));
    }
}
