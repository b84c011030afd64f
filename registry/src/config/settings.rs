//! Settings at a place of the configuration, read as the values that their keys take.
//!
//! What was not written has the default of the table. An error names the key, its place, and what is expected;
//! what the values mean together is left to `validate`.

use std::time::Duration;

use super::{
    duration,
    error::Error,
    key_path::KeyPath,
    keys::{self, Place},
    origin::Origin,
    tree::{Node, Value},
};

/// One string of a list.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    path: KeyPath,
    pub(super) node: &'a Node,
    pub(super) text: &'a str,
}

impl Item<'_> {
    /// The error for a string that the list does not take.
    pub(super) fn unexpected(&self, expected: &'static str) -> Error {
        Error::unexpected(&self.path, self.node, expected)
    }
}

/// The settings at and below a path.
#[derive(Clone, Debug)]
pub(super) struct Settings<'a> {
    root: &'a Node,
    path: KeyPath,
}

impl<'a> Settings<'a> {
    /// All settings.
    pub(super) fn new(root: &'a Node) -> Self {
        Self { root, path: KeyPath::default() }
    }

    /// The settings below dotted names.
    pub(super) fn below(&self, names: &str) -> Self {
        Self { root: self.root, path: self.path.join(names) }
    }

    /// The settings of each item of a list.
    pub(super) fn items(&self, name: &str) -> Vec<Self> {
        let path = self.path.join(name);
        let length = match self.root.at(&path).map(|node| &node.value) {
            Some(Value::List(items)) => items.len(),
            _ => 0,
        };
        (0..length).map(|at| Self { root: self.root, path: path.item(at) }).collect()
    }

    /// The path of a key.
    pub(super) fn path(&self, key: &str) -> KeyPath {
        self.path.join(key)
    }

    /// Where a key, or anything below it, was written; `None` when it was not mentioned.
    pub(super) fn origin(&self, key: &str) -> Option<&'a Origin> {
        self.root.at(&self.path(key)).map(|node| &node.origin)
    }

    /// A string, if there is one.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Error> {
        self.read(key, "a string", |text| Some(text.to_owned()))
    }

    /// `true` or `false`, in the spellings of YAML 1.1. Quotes are forgiven, since environment files and charts add them.
    pub(super) fn flag(&self, key: &str) -> Result<bool, Error> {
        let flag = self.read(key, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "on" => Some(true),
            "false" | "no" | "n" | "off" => Some(false),
            _ => None,
        })?;
        Ok(flag.unwrap_or(false))
    }

    /// A duration in Go's syntax.
    pub(super) fn duration(&self, key: &str) -> Result<Duration, Error> {
        self.require(key, "a duration such as 30s, 24h or 1h30m", duration::parse)
    }

    /// A duration in Go's syntax; zero stands for the default, as in Distribution.
    pub(super) fn positive_duration(&self, key: &str) -> Result<Duration, Error> {
        let default = default(&self.path(key)).and_then(duration::parse).unwrap_or_default();
        Ok(Some(self.duration(key)?).filter(|duration| !duration.is_zero()).unwrap_or(default))
    }

    /// A number; one that is not positive stands for the default, as in Distribution.
    pub(super) fn positive_number<T: TryFrom<i64>>(&self, key: &str) -> Result<T, Error> {
        let default = default(&self.path(key));
        self.require(key, "a number, such as 10", |text| {
            let number: i64 = text.parse().ok()?;
            T::try_from(if number > 0 { number } else { default?.parse().ok()? }).ok()
        })
    }

    /// A list of strings; a string alone is a list of one.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Item<'a>>, Error> {
        let path = self.path(key);
        let Some(node) = self.root.at(&path) else {
            return Ok(Vec::new());
        };
        texts(path, node)
    }

    /// The entries of a map by their own names, each with its list of strings.
    pub(super) fn map(&self, key: &str) -> Result<Vec<(&'a str, Vec<Item<'a>>)>, Error> {
        let path = self.path(key);
        match self.root.at(&path).map(|node| &node.value) {
            Some(Value::Mapping(children)) => children
                .iter()
                .map(|(name, child)| Ok((name.as_str(), texts(path.name(name), child)?)))
                .collect(),
            _ => Ok(Vec::new()),
        }
    }

    /// Reads a value by a rule; an empty one counts as not written, and then the default is read.
    pub(super) fn read<T>(
        &self,
        key: &str,
        expected: &'static str,
        rule: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let path = self.path(key);
        let Some(node) = self.root.at(&path).filter(|node| node.is_written()) else {
            return Ok(default(&path).and_then(rule));
        };
        let unexpected = || Error::unexpected(&path, node, expected);
        let text = scalar(node).ok_or_else(unexpected)?;
        rule(text).map(Some).ok_or_else(unexpected)
    }

    /// Reads a value by a rule; without one, and without a default, it is missing.
    pub(super) fn require<T>(
        &self,
        key: &str,
        expected: &'static str,
        rule: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        self.read(key, expected, rule)?.ok_or_else(|| self.missing(key, expected))
    }

    /// The names of the alternatives of a section that were mentioned, out of those given.
    pub(super) fn chosen(&self, section: &str, alternatives: &[&'static str]) -> Vec<&'static str> {
        let section = self.below(section);
        alternatives.iter().filter(|name| section.origin(name).is_some()).copied().collect()
    }

    /// The error for a section with more than one alternative.
    pub(super) fn ambiguous(&self, section: &'static str, chosen: &[&str]) -> Error {
        let place = |name: &&str| {
            let key = format!("{section}.{name}");
            match self.origin(&key) {
                Some(origin) => format!("{key} ({origin})"),
                None => key,
            }
        };
        Error::Ambiguous { section, chosen: chosen.iter().map(place).collect() }
    }

    /// The error for settings that this server does not support.
    pub(super) fn refused(&self, instead: &'static str) -> Error {
        let origin = self.root.at(&self.path).map_or(Origin::Default, |node| node.origin.clone());
        Error::Refused { origin, key: self.path.to_string(), instead }
    }

    /// The error for a key that has a value which it does not take.
    pub(super) fn unexpected(&self, key: &str, expected: &'static str) -> Error {
        match self.root.at(&self.path(key)) {
            Some(node) => Error::unexpected(&self.path(key), node, expected),
            None => self.missing(key, expected),
        }
    }

    /// The error for a key that is not there.
    pub(super) fn missing(&self, key: &str, why: &'static str) -> Error {
        let origin = self.root.at(&self.path).map(|node| node.origin.clone());
        Error::Missing { origin, key: self.path(key).to_string(), why }
    }
}

fn default(path: &KeyPath) -> Option<&'static str> {
    match keys::place(&path.pattern()) {
        Some(Place::Key(_, key)) => key.default,
        _ => None,
    }
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(text) => Some(text),
        _ => None,
    }
}

fn texts(path: KeyPath, node: &Node) -> Result<Vec<Item<'_>>, Error> {
    let nodes: Vec<_> = match &node.value {
        Value::List(items) => items.iter().enumerate().map(|(at, item)| (path.item(at), item)).collect(),
        _ if node.is_written() => vec![(path, node)],
        _ => Vec::new(),
    };
    let items = nodes.into_iter().map(|(path, node)| match scalar(node) {
        Some(text) => Ok(Item { path, node, text }),
        None => Err(Error::unexpected(&path, node, "a string or a list of strings")),
    });
    items.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;

    fn tree(text: &str) -> Node {
        document::read(text, &|line| Origin::File { path: std::path::Path::new("c.yml").into(), line })
            .unwrap()
    }

    #[test]
    fn values_are_found_by_the_path_of_their_key() {
        let tree = tree("health: {tcp: [{addr: 'db:1'}]}\nhttp: {secret: 0123}");
        let settings = Settings::new(&tree);
        assert_eq!(settings.text("http.secret").unwrap().as_deref(), Some("0123"));
        let checks = settings.items("health.tcp");
        assert_eq!(checks[0].text("addr").unwrap().as_deref(), Some("db:1"));
    }

    #[test]
    fn what_is_not_written_or_empty_has_the_default_of_the_table() {
        let tree = tree("health: {tcp: [{addr: 'db:1', interval: ''}]}");
        let settings = Settings::new(&tree);
        assert_eq!(settings.items("health.tcp")[0].duration("interval").unwrap(), Duration::from_secs(10));
        assert_eq!(settings.text("http.addr").unwrap().as_deref(), Some(":5000"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_line_and_with_what_is_expected() {
        let tree = tree("storage:\n  delete: {enabled: maybe}\nhttp: {headers: {X-A: {b: c}}}");
        let settings = Settings::new(&tree);
        assert_eq!(
            settings.flag("storage.delete.enabled").unwrap_err().to_string(),
            "c.yml:2: `storage.delete.enabled` must be true or false, but is \"maybe\""
        );
        let error = settings.map("http.headers").unwrap_err().to_string();
        assert!(error.starts_with("c.yml:3: `http.headers.X-A` must be a string or a list"), "{error}");
    }

    #[test]
    fn flags_are_read_in_every_spelling_of_yaml() {
        for (text, flag) in
            [("true", true), ("'true'", true), ("Yes", true), ("off", false), ("FALSE", false)]
        {
            let tree = tree(&format!("storage: {{delete: {{enabled: {text}}}}}"));
            assert_eq!(Settings::new(&tree).flag("storage.delete.enabled").unwrap(), flag, "{text}");
        }
    }

    #[test]
    fn what_is_needed_and_not_there_is_missing_at_the_place_of_its_section() {
        let tree = tree("version: 0.1\nnotifications:\n  endpoints:\n    - name: a\n");
        let endpoint = &Settings::new(&tree).items("notifications.endpoints")[0];
        let error = endpoint.require("url", "a URL", |text| Some(text.to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "c.yml:4: `notifications.endpoints[0].url` is missing: a URL");
    }
}
