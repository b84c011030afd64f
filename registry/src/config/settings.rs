//! A configuration as written: values by the path of their key, each with the place where it was written.
//!
//! The file is laid down first and environment variables over it. Keys are checked against the table here;
//! what a value means is left to `validate`.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_yaml::Value;

use super::{
    duration,
    error::{Error, Origin},
    keys::{self, CHOICES, Effect, Kind},
};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// All values by the path of their key, for example `http.tls.key`.
#[derive(Debug, Default)]
pub(super) struct Settings {
    entries: BTreeMap<String, Entry>,
}

impl Settings {
    /// Reads the text of a configuration file.
    pub(super) fn from_yaml(text: &str, path: &Path) -> Result<Self, Error> {
        let origin = Origin::File(path.to_owned());
        let document: Value =
            serde_yaml::from_str(text).map_err(|source| Error::Syntax { origin: origin.clone(), source })?;
        let mut settings = Self::default();
        settings.lay("", document, &origin)?;
        Ok(settings)
    }

    /// Lays a value, with everything inside it, over what is there.
    pub(super) fn lay(&mut self, path: &str, value: Value, origin: &Origin) -> Result<(), Error> {
        match keys::key_of(path) {
            Some(key) if key.kind == Kind::Map && path == key.path => self.lay_children(path, value, origin),
            Some(key) if key.kind == Kind::Section => {
                self.insert(key.path.to_owned(), Value::Null, origin);
                Ok(())
            }
            Some(_) => {
                self.insert(path.to_owned(), value, origin);
                Ok(())
            }
            None if path.is_empty() || keys::is_group(path) => self.lay_group(path, value, origin),
            None => Err(Error::UnknownKey { origin: origin.clone(), key: path.to_owned() }),
        }
    }

    /// Lays a group: a mapping, or the name of an alternative where the section is a choice.
    fn lay_group(&mut self, path: &str, value: Value, origin: &Origin) -> Result<(), Error> {
        match value {
            Value::String(name) if CHOICES.contains(&path) => self.choose(path, &name, origin),
            value => {
                if !path.is_empty() {
                    self.insert(path.to_owned(), Value::Null, origin);
                }
                self.lay_children(path, value, origin)
            }
        }
    }

    fn lay_children(&mut self, path: &str, value: Value, origin: &Origin) -> Result<(), Error> {
        let children = match value {
            Value::Null => return Ok(()),
            Value::Mapping(children) => children,
            other => return Err(unexpected(origin, path, "a mapping of keys to values", &other)),
        };
        for (name, child) in children {
            let name = scalar_text(&name)
                .ok_or_else(|| unexpected(origin, path, "a mapping whose keys are words", &name))?;
            let child_path = if path.is_empty() { name } else { format!("{path}.{name}") };
            self.lay(&child_path, child, origin)?;
        }
        Ok(())
    }

    /// Chooses an alternative by its name alone, as in `storage: inmemory`; it replaces the whole section.
    pub(super) fn choose(&mut self, section: &str, name: &str, origin: &Origin) -> Result<(), Error> {
        self.remove(section);
        self.lay(&format!("{section}.{name}"), Value::Null, origin)
    }

    /// Removes a group with everything below it.
    pub(super) fn remove(&mut self, group: &str) {
        self.entries.retain(|path, _| !is_below(path, group) && path != group);
    }

    fn insert(&mut self, path: String, value: Value, origin: &Origin) {
        self.entries.insert(path, Entry { value, origin: origin.clone() });
    }

    /// Warns of every key without effect; fails for the first that is refused.
    pub(super) fn effects(&self) -> Result<Vec<String>, Error> {
        let mut warnings = Vec::new();
        for (path, entry) in &self.entries {
            match keys::key_of(path).map(|key| key.effect) {
                Some(Effect::Refused(instead)) => {
                    return Err(Error::Refused { origin: entry.origin.clone(), key: path.clone(), instead });
                }
                Some(Effect::Ignored(why)) => {
                    warnings.push(format!("{}: `{path}` has no effect: {why}", entry.origin));
                }
                Some(Effect::Honoured) | None => {}
            }
        }
        Ok(warnings)
    }

    /// Whether anything was written at a path or below it.
    pub(super) fn mentions(&self, group: &str) -> bool {
        self.entries.keys().any(|path| path == group || is_below(path, group))
    }

    /// The names of the alternatives of a section that were chosen, out of those given.
    pub(super) fn chosen(&self, section: &str, alternatives: &[&'static str]) -> Vec<&'static str> {
        let mentioned = |name: &&&'static str| self.mentions(&format!("{section}.{name}"));
        alternatives.iter().filter(mentioned).copied().collect()
    }

    /// The value of a key with its origin; an empty one counts as not written.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| !is_empty(&entry.value))
    }

    /// A string.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Error> {
        self.read(key, "a string", scalar_text)
    }

    /// `true` or `false`; quotes around them are forgiven, since environment files and charts add them.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        self.read(key, "true or false", |value| scalar_text(value)?.parse().ok())
    }

    /// A duration in Go's syntax.
    pub(super) fn duration(&self, key: &str) -> Result<Option<Duration>, Error> {
        self.read(key, "a duration such as 30s, 24h or 1h30m", |value| duration::parse(&scalar_text(value)?))
    }

    /// A duration in Go's syntax that is not zero.
    pub(super) fn positive_duration(&self, key: &str) -> Result<Option<Duration>, Error> {
        self.read(key, "a duration longer than zero, such as 24h", |value| {
            duration::parse(&scalar_text(value)?).filter(|duration| !duration.is_zero())
        })
    }

    /// The entries of a map by their own names, in their order.
    pub(super) fn map(&self, key: &str) -> Vec<(&str, &Entry)> {
        self.entries
            .iter()
            .filter_map(|(path, entry)| Some((path.strip_prefix(key)?.strip_prefix('.')?, entry)))
            .collect()
    }

    /// Reads a value by a rule; the error names the key, its place, and what is expected.
    pub(super) fn read<T>(
        &self,
        key: &str,
        expected: &'static str,
        rule: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        match rule(&entry.value) {
            Some(value) => Ok(Some(value)),
            None => Err(unexpected(&entry.origin, key, expected, &entry.value)),
        }
    }
}

fn is_below(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'))
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str() == Some("")
}

/// A scalar as text; `None` for a list or a mapping.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The error for a value that its key does not take.
pub(super) fn unexpected(origin: &Origin, key: &str, expected: &'static str, found: &Value) -> Error {
    let found = match scalar_text(found) {
        Some(text) => format!("{text:?}"),
        None if found.is_null() => "empty".to_owned(),
        None => if found.is_sequence() { "a list" } else { "a mapping" }.to_owned(),
    };
    let key = if key.is_empty() { "the file" } else { key };
    Error::Value { origin: origin.clone(), key: key.to_owned(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, Error> {
        Settings::from_yaml(text, Path::new("config.yml"))
    }

    #[test]
    fn values_are_found_by_the_path_of_their_key() {
        let settings = settings("http: {addr: ':5000', headers: {X-A: [b]}}").unwrap();
        assert_eq!(settings.text("http.addr").unwrap().as_deref(), Some(":5000"));
        assert_eq!(settings.map("http.headers")[0].0, "X-A");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_whole_path() {
        let error = settings("storage: {filesystem: {rootdir: /x}}").unwrap_err();
        assert!(error.to_string().starts_with("config.yml: there is no key `storage.filesystem.rootdir`"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_what_is_expected() {
        let settings = settings("storage: {delete: {enabled: maybe}}").unwrap();
        assert_eq!(
            settings.flag("storage.delete.enabled").unwrap_err().to_string(),
            "config.yml: `storage.delete.enabled` must be true or false, but is \"maybe\""
        );
    }

    #[test]
    fn the_name_of_an_alternative_may_stand_for_its_section() {
        let settings = settings("storage: inmemory").unwrap();
        assert_eq!(settings.chosen("storage", &["filesystem", "inmemory"]), ["inmemory"]);
    }

    #[test]
    fn a_refused_key_says_what_to_use_instead_and_an_ignored_one_warns() {
        let refused = settings("storage: {s3: {bucket: b}}").unwrap().effects().unwrap_err();
        assert!(refused.to_string().contains("use storage.filesystem"), "{refused}");
        let warnings = settings("storage: {cache: {blobdescriptor: inmemory}}").unwrap().effects().unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("`storage.cache` has no effect"), "{}", warnings[0]);
    }
}
