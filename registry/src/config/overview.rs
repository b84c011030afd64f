//! What holds and from where: every setting that the server acts on, in the order of the table.

use super::{
    error::is_secret,
    key_path::KeyPath,
    keys::{Effect, SECTIONS},
    origin::Origin,
    tree::{Node, Value},
};

/// A setting that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The whole path of its key.
    pub key: String,
    /// What was written, or the default. Secrets are not shown.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// The settings that hold, written or not.
pub(super) fn settings(root: &Node) -> Vec<Setting> {
    let mut settings = Vec::new();
    for section in SECTIONS.iter().filter(|section| holds(section.path, root)) {
        for path in instances(section.path, root) {
            for key in section.keys.iter().filter(|key| key.effect(section) == Effect::Honoured) {
                let path = path.name(key.name);
                match root.at(&path).filter(|node| node.is_written()) {
                    Some(node) => settings.extend(written(&path, node)),
                    None => settings.extend(key.default.map(|value| setting(&path, value, Origin::Default))),
                }
            }
        }
    }
    settings
}

/// Whether the section has a say: the settings of a storage that was not chosen hold nowhere.
fn holds(section: &str, root: &Node) -> bool {
    let is_chosen = |section: &str| root.at(&KeyPath::of(section)).is_some();
    match section {
        "storage.s3" | "storage.s3aws" => is_chosen(section),
        _ if section.starts_with("storage.redirect") => is_chosen("storage.s3") || is_chosen("storage.s3aws"),
        _ => true,
    }
}

/// The paths that a path of the table stands for: one for each item of the lists in it.
fn instances(pattern: &str, root: &Node) -> Vec<KeyPath> {
    let Some((list, rest)) = pattern.split_once("[]") else {
        return vec![if pattern.is_empty() { KeyPath::default() } else { KeyPath::of(pattern) }];
    };
    let list = KeyPath::of(list);
    let length = match root.at(&list).map(|node| &node.value) {
        Some(Value::List(items)) => items.len(),
        _ => 0,
    };
    let below = |path: KeyPath| rest.strip_prefix('.').map_or_else(|| path.clone(), |names| path.join(names));
    (0..length).map(|at| below(list.item(at))).collect()
}

/// A line for each entry of a map, and one for everything else.
fn written(path: &KeyPath, node: &Node) -> Vec<Setting> {
    match &node.value {
        Value::Mapping(children) => {
            children.iter().flat_map(|(name, child)| written(&path.name(name), child)).collect()
        }
        value => vec![setting(path, &spell(value), node.origin.clone())],
    }
}

fn setting(path: &KeyPath, value: &str, origin: Origin) -> Setting {
    let value = if is_secret(path) { "(hidden)".to_owned() } else { without_credentials(value) };
    Setting { key: path.to_string(), value, origin }
}

fn spell(value: &Value) -> String {
    match value {
        Value::Empty => String::new(),
        Value::Scalar(text) => text.clone(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| spell(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(_) => "{…}".to_owned(),
    }
}

/// Hides the user and the password of a URL.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://(hidden)@{host}{path}"),
        None => text.to_owned(),
    }
}
