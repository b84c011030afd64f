//! What can be wrong with a configuration, told so that the user can correct it.

use std::{io, path::PathBuf};

use super::{
    document::SyntaxError,
    key_path::{KeyPath, Step},
    keys::{self, Place},
    origin::Origin,
    tree::{Gap, Node, Value},
};

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
    #[error("{origin}: this is not valid YAML: {reason}")]
    Syntax {
        /// Where the text was written.
        origin: Origin,
        /// What the parser did not expect.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{origin}: there is no key `{key}`; {allowed}")]
    UnknownKey {
        /// Where it was written.
        origin: Origin,
        /// The whole path of the key.
        key: String,
        /// The names that are allowed there, the likeliest first.
        allowed: String,
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
        /// What was written; never a secret.
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
    /// A key that is needed, or that other keys make necessary.
    #[error("{}`{key}` is missing: {why}", .origin.as_ref().map(|origin| format!("{origin}: ")).unwrap_or_default())]
    Missing {
        /// Where it should stand, or what asks for it; `None` when nothing of the section was written.
        origin: Option<Origin>,
        /// The whole path of the key.
        key: String,
        /// What asks for it, or what to write.
        why: &'static str,
    },
    /// More than one alternative of a section was chosen.
    #[error("`{section}` names {}: keep one of them", .chosen.join(" and "))]
    Ambiguous {
        /// `storage` or `auth`.
        section: &'static str,
        /// The alternatives that were found, each with its place.
        chosen: Vec<String>,
    },
    /// A variable that names an item of a list by something else than a number.
    #[error("{origin}: `{list}` is a list: after it comes the number of an item, such as 0, not `{found}`")]
    NotAnIndex {
        /// The variable.
        origin: Origin,
        /// The path of the list.
        list: String,
        /// What stands in place of the number.
        found: String,
    },
    /// A variable for an item of a list whose forerunners are missing.
    #[error("{origin}: the next item of `{list}` has the number {length}, not {found}")]
    IndexTooLarge {
        /// The variable.
        origin: Origin,
        /// The path of the list.
        list: String,
        /// How many items it has.
        length: usize,
        /// The number in the name of the variable.
        found: usize,
    },
    /// The file that a variable ending in `_FILE` names is missing or not readable.
    #[error("{origin}: cannot read {}", .path.display())]
    UnreadableSecret {
        /// The variable.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A secret that is given both by a variable and by a file.
    #[error("environment variables {plain} and {file} give the same secret: keep one of them")]
    SecretTwice {
        /// The variable that holds it.
        plain: String,
        /// The variable that names its file.
        file: String,
    },
}

impl Error {
    pub(super) fn syntax(error: SyntaxError, origin: &dyn Fn(usize) -> Origin) -> Self {
        Self::Syntax { origin: origin(error.line), reason: error.reason }
    }

    /// A key that the table does not have.
    pub(super) fn unknown_key(path: &KeyPath, origin: &Origin) -> Self {
        Self::UnknownKey { origin: origin.clone(), key: path.to_string(), allowed: allowed(path) }
    }

    /// A value that its key does not take.
    pub(super) fn unexpected(path: &KeyPath, node: &Node, expected: &'static str) -> Self {
        let key = if path.steps().is_empty() { "the file".to_owned() } else { path.to_string() };
        let found = if is_secret(path) { "something else".to_owned() } else { describe(&node.value) };
        Self::Value { origin: node.origin.clone(), key, expected, found }
    }
}

impl From<Gap> for Error {
    fn from(gap: Gap) -> Self {
        let Gap { origin, list, length, found } = gap;
        Self::IndexTooLarge { origin, list: list.to_string(), length, found }
    }
}

/// Whether the value at a path must not be shown.
pub(super) fn is_secret(path: &KeyPath) -> bool {
    match keys::place(&path.pattern()) {
        Some(Place::Key(_, key) | Place::Inside(key)) => key.secret,
        _ => false,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Empty => "empty".to_owned(),
        Value::Scalar(text) => format!("{text:?}"),
        Value::List(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}

/// Says which names are allowed where an unknown key stands, the likeliest first.
fn allowed(path: &KeyPath) -> String {
    let group = path.parent().unwrap_or_default();
    let names = keys::names_below(&group.pattern());
    let place = if group.steps().is_empty() { "at the top".to_owned() } else { format!("below `{group}`") };
    if names.is_empty() {
        return format!("nothing is allowed {place}");
    }
    let list = names.join(", ");
    let Some(Step::Name(name)) = path.steps().last() else {
        return format!("allowed {place}: {list}");
    };
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
        let origin = Origin::File { path: std::path::Path::new("c.yml").into(), line: 3 };
        let error = Error::unknown_key(&KeyPath::of("storage.delete.enable"), &origin);
        assert_eq!(
            error.to_string(),
            "c.yml:3: there is no key `storage.delete.enable`; did you mean `enabled`? \
             Allowed below `storage.delete`: enabled"
        );
    }

    #[test]
    fn a_name_that_resembles_nothing_gets_the_list_alone() {
        assert_eq!(likeliest("zebra", &["addr", "host"]), None);
        assert_eq!(likeliest("adr", &["addr", "host"]), Some("addr"));
    }

    #[test]
    fn the_value_of_a_secret_is_not_told() {
        let node = Node::scalar("hunter2", Origin::Default);
        let path = KeyPath::of("http.secret");
        assert!(!Error::unexpected(&path, &node, "another string").to_string().contains("hunter2"));
    }
}
