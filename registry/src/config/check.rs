//! Holds settings against the table of keys: no key is unknown, none has the wrong shape, and every key that is not
//! honoured is told.

use std::{collections::BTreeSet, mem};

use super::{
    error::Error,
    key_path::KeyPath,
    keys::{self, CHOICES, Effect, Kind, Place},
    origin::Origin,
    tree::{Node, Value},
};

/// Spells out `storage: inmemory` and the like: the name of an alternative in place of its section.
pub(super) fn spell_out_choices(root: &mut Node) {
    let Value::Mapping(sections) = &mut root.value else { return };
    for (name, section) in sections {
        let written = mem::replace(section, Node::empty(Origin::Default));
        *section = spell_out_choice(&KeyPath::of(name), written);
    }
}

/// A section in which nothing but one alternative is chosen, if that is what is written; else what is written.
pub(super) fn spell_out_choice(path: &KeyPath, node: Node) -> Node {
    let Node { value, origin } = node;
    match value {
        Value::Scalar(choice) if is_choice(path) && !choice.is_empty() => {
            let alternative = (choice, Node::empty(origin.clone()));
            Node { value: Value::Mapping(vec![alternative]), origin }
        }
        value => Node { value, origin },
    }
}

fn is_choice(path: &KeyPath) -> bool {
    CHOICES.contains(&path.to_string().as_str())
}

/// Fails for the first key that does not exist or has the wrong shape.
pub(super) fn shape(root: &Node) -> Result<(), Error> {
    shape_at(&KeyPath::default(), root)
}

fn shape_at(path: &KeyPath, node: &Node) -> Result<(), Error> {
    let place = keys::place(&path.pattern()).ok_or_else(|| Error::unknown_key(path, &node.origin))?;
    match (place, &node.value) {
        (_, Value::Empty) => Ok(()),
        (_, Value::Scalar(text)) if text.is_empty() => Ok(()),
        (Place::Section, Value::Mapping(children)) => {
            children.iter().try_for_each(|(name, child)| shape_at(&path.name(name), child))
        }
        (Place::Section, _) => Err(Error::unexpected(path, node, "a mapping of keys to values")),
        (Place::SectionList, Value::List(items)) => {
            items.iter().enumerate().try_for_each(|(at, item)| shape_at(&path.item(at), item))
        }
        (Place::SectionList, _) => Err(Error::unexpected(path, node, "a list, whose items begin with `- `")),
        (Place::Key(_, key), value) => match expected_shape(key.kind, value) {
            Some(expected) => Err(Error::unexpected(path, node, expected)),
            None => Ok(()),
        },
        (Place::Inside(..), _) => Ok(()),
    }
}

/// What a key of that kind takes, when it does not take this value.
fn expected_shape(kind: Kind, value: &Value) -> Option<&'static str> {
    match (kind, value) {
        (Kind::Map, Value::Mapping(_)) | (Kind::List, Value::List(_) | Value::Scalar(_)) => None,
        (Kind::Map, _) => Some("a mapping of names to values"),
        (Kind::List, _) => Some("a list"),
        (_, Value::List(_) | Value::Mapping(_)) => Some("a single value"),
        _ => None,
    }
}

/// Warns once of every key or section without effect; fails for the first that is refused.
pub(super) fn effects(root: &Node) -> Result<Vec<String>, Error> {
    let mut warnings = Warnings::default();
    effects_at(&KeyPath::default(), root, &mut warnings)?;
    Ok(warnings.texts)
}

#[derive(Default)]
struct Warnings {
    told: BTreeSet<String>,
    texts: Vec<String>,
}

fn effects_at(path: &KeyPath, node: &Node, warnings: &mut Warnings) -> Result<(), Error> {
    let place = keys::place(&path.pattern());
    match (place, &node.value) {
        (Some(Place::Key(section, key)), _) if node.is_written() => {
            tell(path, node, key.effect(section), key.differs(), warnings)
        }
        (Some(Place::Section), value) => {
            if is_alternative(path) {
                let effect =
                    keys::section(&path.pattern()).map_or(Effect::Honoured, |section| section.effect);
                tell(path, node, effect, false, warnings)?;
            }
            match value {
                Value::Mapping(children) => children
                    .iter()
                    .try_for_each(|(name, child)| effects_at(&path.name(name), child, warnings)),
                _ => Ok(()),
            }
        }
        (Some(Place::SectionList), Value::List(items)) => {
            items.iter().enumerate().try_for_each(|(at, item)| effects_at(&path.item(at), item, warnings))
        }
        _ => Ok(()),
    }
}

/// Whether the path is that of a storage or of a way to authenticate, which is chosen by being mentioned.
fn is_alternative(path: &KeyPath) -> bool {
    path.parent().is_some_and(|parent| is_choice(&parent))
}

fn tell(
    path: &KeyPath,
    node: &Node,
    effect: Effect,
    alone: bool,
    warnings: &mut Warnings,
) -> Result<(), Error> {
    let key = if alone { path.to_string() } else { widest(path, effect).to_string() };
    match effect {
        Effect::Honoured => {}
        Effect::Refused(instead) => return Err(Error::Refused { origin: node.origin.clone(), key, instead }),
        Effect::Ignored(why) => {
            if warnings.told.insert(key.clone()) {
                warnings.texts.push(format!("{}: `{key}` has no effect: {why}", node.origin));
            }
        }
    }
    Ok(())
}

/// The outermost section around a path that has this effect as a whole: `redis` for `redis.tls.key`.
fn widest(path: &KeyPath, effect: Effect) -> KeyPath {
    let mut widest = path.clone();
    let mut around = path.parent();
    while let Some(path) = around {
        if keys::section(&path.pattern()).is_some_and(|section| section.effect == effect) {
            widest = path.clone();
        }
        around = path.parent();
    }
    widest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;

    fn tree(text: &str) -> Node {
        let origin = |line| Origin::File { path: std::path::Path::new("c.yml").into(), line };
        let mut tree = document::read(text, &origin).unwrap();
        spell_out_choices(&mut tree);
        tree
    }

    #[test]
    fn an_unknown_key_is_told_wherever_it_stands() {
        for (text, told) in [
            ("a: 1\nhttp: {adr: x}", "c.yml:2: there is no key `http.adr`; did you mean `addr`?"),
            (
                "storage: {s3: {bukcet: b}}",
                "c.yml:1: there is no key `storage.s3.bukcet`; did you mean `bucket`?",
            ),
            (
                "notifications:\n  endpoints:\n  - name: a\n    urll: b",
                "c.yml:4: there is no key `notifications.endpoints[0].urll`; did you mean `url`?",
            ),
            (
                "redis: {tls: {rootca: [a]}}",
                "c.yml:1: there is no key `redis.tls.rootca`; did you mean `rootcas`?",
            ),
            ("auth: htpaswd", "c.yml:1: there is no key `auth.htpaswd`; did you mean `htpasswd`?"),
            (
                "auth: {none: {realm: a}}",
                "c.yml:1: there is no key `auth.none.realm`; nothing is allowed below",
            ),
        ] {
            let text = text.replace("a: 1\n", "version: 0.1\n");
            let error = shape(&tree(&text)).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn a_wrong_shape_is_told() {
        for (text, told) in [
            ("http: 5", "`http` must be a mapping of keys to values, but is \"5\""),
            (
                "health: {tcp: {addr: a}}",
                "`health.tcp` must be a list, whose items begin with `- `, but is a mapping",
            ),
            ("http: {addr: [a]}", "`http.addr` must be a single value, but is a list"),
            ("http: {headers: [a]}", "`http.headers` must be a mapping of names to values, but is a list"),
            ("- a", "`the file` must be a mapping"),
        ] {
            let error = shape(&tree(text)).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_section_without_effect_is_told_once_and_a_key_by_its_own_name() {
        let tree = tree("redis: {addrs: [a], db: 1, tls: {key: k}}\nlog: {reportcaller: true}");
        let warnings = effects(&tree).unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("c.yml:1: `redis` has no effect: "), "{warnings:?}");
        assert!(warnings[1].starts_with("c.yml:2: `log.reportcaller` has no effect: "), "{warnings:?}");
    }

    #[test]
    fn what_is_refused_is_so_when_it_is_written_and_a_storage_when_it_is_mentioned() {
        for (text, key) in [
            ("storage: gcs", "`storage.gcs`"),
            ("http: {tls: {letsencrypt: {email: x}}}", "`http.tls.letsencrypt`"),
        ] {
            let error = effects(&tree(text)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("c.yml:1: {key}: ")), "{error}");
        }
        for text in ["http: {tls: {letsencrypt: {hosts: }}}", "redis:"] {
            assert!(effects(&tree(text)).unwrap().is_empty(), "{text}");
        }
    }
}
