//! Settings as written: a tree of mappings, lists and words, each with the place where it was written.
//!
//! A word is kept as its characters, so that a secret such as `0123` stays what it is; what a word means is decided
//! by whoever reads it.

use std::mem;

use super::{
    key_path::{KeyPath, Step},
    origin::Origin,
};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub(super) enum Value {
    /// Nothing, or `null`.
    #[default]
    Empty,
    /// A word, a number, a text.
    Scalar(String),
    List(Vec<Node>),
    /// In the order of writing. No name stands twice.
    Mapping(Vec<(String, Node)>),
}

/// An index that would leave a gap in its list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Where the value for it was written.
    pub(super) origin: Origin,
    /// The list.
    pub(super) list: KeyPath,
    /// How many items it has.
    pub(super) length: usize,
    /// The index.
    pub(super) found: usize,
}

impl Node {
    pub(super) fn empty(origin: Origin) -> Self {
        Self { value: Value::Empty, origin }
    }

    pub(super) fn scalar(text: impl Into<String>, origin: Origin) -> Self {
        Self { value: Value::Scalar(text.into()), origin }
    }

    /// Whether something was written: an empty text, list or mapping is as good as none.
    pub(super) fn is_written(&self) -> bool {
        match &self.value {
            Value::Empty => false,
            Value::Scalar(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Mapping(children) => !children.is_empty(),
        }
    }

    /// What stands at a path, if it was mentioned at all.
    pub(super) fn at(&self, path: &KeyPath) -> Option<&Node> {
        path.steps().iter().try_fold(self, |node, step| match (step, &node.value) {
            (Step::Name(name), Value::Mapping(children)) => {
                children.iter().find(|(child, _)| child == name).map(|(_, node)| node)
            }
            (Step::Index(at), Value::List(items)) => items.get(*at),
            _ => None,
        })
    }

    /// Puts a value at a path and makes what is missing on the way. The items of a list are made one after another.
    pub(super) fn put(&mut self, path: &KeyPath, value: Node) -> Result<(), Gap> {
        self.put_below(&KeyPath::default(), path.steps(), value)
    }

    /// Puts a value at the end of some steps; `here` is the path of this node.
    fn put_below(&mut self, here: &KeyPath, steps: &[Step], value: Node) -> Result<(), Gap> {
        match steps.split_first() {
            None => {
                *self = value;
                Ok(())
            }
            Some((Step::Name(name), rest)) => self.put_into_mapping(&here.name(name), name, rest, value),
            Some((Step::Index(at), rest)) => self.put_into_list(here, *at, rest, value),
        }
    }

    /// A name in another case is the same name: variables of the environment have no case.
    fn put_into_mapping(
        &mut self,
        child_path: &KeyPath,
        name: &str,
        rest: &[Step],
        value: Node,
    ) -> Result<(), Gap> {
        let mut children = match mem::take(&mut self.value) {
            Value::Mapping(children) => children,
            _ => Vec::new(),
        };
        let known = children.iter_mut().find(|(child, _)| child.eq_ignore_ascii_case(name));
        let put = if let Some((_, child)) = known {
            child.put_below(child_path, rest, value)
        } else {
            let mut child = Self::empty(value.origin.clone());
            let put = child.put_below(child_path, rest, value);
            children.push((name.to_owned(), child));
            put
        };
        self.value = Value::Mapping(children);
        put
    }

    fn put_into_list(&mut self, list: &KeyPath, at: usize, rest: &[Step], value: Node) -> Result<(), Gap> {
        let mut items = match mem::take(&mut self.value) {
            Value::List(items) => items,
            _ => Vec::new(),
        };
        if at == items.len() {
            items.push(Self::empty(value.origin.clone()));
        }
        let length = items.len();
        let put = match items.get_mut(at) {
            Some(item) => item.put_below(&list.item(at), rest, value),
            None => Err(Gap { origin: value.origin, list: list.clone(), length, found: at }),
        };
        self.value = Value::List(items);
        put
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Node {
        Node::scalar(text, Origin::Default)
    }

    fn text_at<'a>(node: &'a Node, path: &KeyPath) -> Option<&'a str> {
        match &node.at(path)?.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn what_was_put_is_found_again() {
        let mut tree = Node::empty(Origin::Default);
        let path = KeyPath::of("health.tcp").item(0).name("addr");
        tree.put(&path, word("db:5432")).unwrap();
        assert_eq!(text_at(&tree, &path), Some("db:5432"));
        assert!(tree.at(&KeyPath::of("health.http")).is_none());
    }

    #[test]
    fn a_name_in_another_case_is_the_same_name() {
        let mut tree = Node::empty(Origin::Default);
        tree.put(&KeyPath::of("http.headers.X-Frame-Options"), word("DENY")).unwrap();
        tree.put(&KeyPath::of("http.headers.x-frame-options"), word("SAMEORIGIN")).unwrap();
        assert_eq!(text_at(&tree, &KeyPath::of("http.headers.X-Frame-Options")), Some("SAMEORIGIN"));
    }

    #[test]
    fn a_list_grows_by_one_item_and_never_has_a_gap() {
        let mut tree = Node::empty(Origin::Default);
        let list = KeyPath::of("http.tls.clientcas");
        tree.put(&list.item(0), word("/a")).unwrap();
        tree.put(&list.item(1), word("/b")).unwrap();
        let gap = Gap { origin: Origin::Default, list: list.clone(), length: 2, found: 3 };
        assert_eq!(tree.put(&list.item(3), word("/d")), Err(gap));
    }
}
