//! Reads YAML text into a tree that knows its lines.
//!
//! Words keep their characters. Anchors, aliases and merge keys (`<<`) are resolved here, and their size is bounded.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{
    origin::Origin,
    tree::{Node, Value},
};

/// So many values are more than any configuration has; aliases of aliases could make billions out of a few lines.
const MAX_NODES: usize = 100_000;

/// Text that cannot be read.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// The line, counted from 1.
    pub(super) line: usize,
    pub(super) reason: String,
}

/// Reads the text of one document; `origin` says where a line of it was written.
pub(super) fn read(text: &str, origin: &dyn Fn(usize) -> Origin) -> Result<Node, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.set_emit_comments(false);
    let events = Parser::new_from_str_with_options(text, options);
    Reader { events, origin, anchors: HashMap::new(), nodes: 0 }.document()
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    origin: &'a dyn Fn(usize) -> Origin,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, SyntaxError> {
        let mut root = Node::empty((self.origin)(1));
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if documents == 1 => {
                    return Err(error(&span, "a second document begins here: keep one"));
                }
                Event::DocumentStart(..) => documents += 1,
                Event::StreamEnd => return Ok(root),
                event => root = self.node(event, &span)?,
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        let end = || SyntaxError { line: 1, reason: "the text ends too early".to_owned() };
        Ok(self.events.next().ok_or_else(end)??)
    }

    /// Reads the value that begins with an event.
    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, SyntaxError> {
        let origin = (self.origin)(span.start.line());
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let empty = style == ScalarStyle::Plain && is_null(&text);
                (if empty { Value::Empty } else { Value::Scalar(text.into_owned()) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (Value::List(self.items()?), anchor),
            Event::MappingStart(_, anchor, _) => (Value::Mapping(self.children()?), anchor),
            Event::Alias(anchor) => {
                let aliased = self.anchors.get(&anchor).cloned();
                let node = aliased.ok_or_else(|| error(span, "an alias stands inside what it names"))?;
                self.count(size(&node), span)?;
                return Ok(node);
            }
            _ => return Err(error(span, "a value is expected here")),
        };
        self.count(1, span)?;
        let node = Node { value, origin };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn items(&mut self) -> Result<Vec<Node>, SyntaxError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, &span)?),
            }
        }
    }

    fn children(&mut self) -> Result<Vec<(String, Node)>, SyntaxError> {
        let mut children: Vec<(String, Node)> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(error(&span, "a key must be a word")),
            };
            let (event, value_span) = self.next()?;
            let mut node = self.node(event, &value_span)?;
            // A mapping or a list begins a line below its key, and it is the key that is looked for.
            node.origin = (self.origin)(span.start.line());
            if name == "<<" {
                merged.push(node);
            } else if children.iter().any(|(child, _)| *child == name) {
                return Err(error(&span, &format!("the key `{name}` stands here a second time")));
            } else {
                children.push((name, node));
            }
        }
        for node in merged {
            merge(&mut children, node);
        }
        Ok(children)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), SyntaxError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(error(span, "this is too large for a configuration"));
        }
        Ok(())
    }
}

/// Adds what a merge key brings: what is written in the mapping itself wins.
fn merge(children: &mut Vec<(String, Node)>, node: Node) {
    match node.value {
        Value::Mapping(merged) => {
            for (name, child) in merged {
                if !children.iter().any(|(known, _)| *known == name) {
                    children.push((name, child));
                }
            }
        }
        Value::List(nodes) => {
            for node in nodes {
                merge(children, node);
            }
        }
        Value::Empty | Value::Scalar(_) => {}
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::Empty | Value::Scalar(_) => 1,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Mapping(children) => 1 + children.iter().map(|(_, child)| size(child)).sum::<usize>(),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn error(span: &Span, reason: &str) -> SyntaxError {
    SyntaxError { line: span.start.line(), reason: reason.to_owned() }
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        Self { line: error.marker().line(), reason: error.info() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key_path::KeyPath;

    fn read_text(text: &str) -> Result<Node, SyntaxError> {
        read(text, &|line| Origin::File { path: std::path::Path::new("c.yml").into(), line })
    }

    fn find(text: &str, path: &str) -> (Option<String>, String) {
        let tree = read_text(text).unwrap();
        let node = tree.at(&KeyPath::of(path)).unwrap();
        let word = match &node.value {
            Value::Scalar(word) => Some(word.clone()),
            _ => None,
        };
        (word, node.origin.to_string())
    }

    #[test]
    fn a_value_knows_its_line() {
        let text = "# first\nhttp:\n  addr: :5000\n\n  secret: 'a'\n";
        assert_eq!(find(text, "http.secret"), (Some("a".to_owned()), "c.yml:5".to_owned()));
        assert_eq!(find(text, "http").1, "c.yml:2");
    }

    #[test]
    fn words_keep_their_characters_and_only_a_plain_null_is_empty() {
        for word in ["0123", "1e5", "yes", "0.10", "a: b"] {
            let quoted = format!("secret: '{word}'");
            assert_eq!(find(&quoted, "secret").0.as_deref(), Some(word));
        }
        assert_eq!(find("secret: 0123", "secret").0.as_deref(), Some("0123"));
        assert_eq!(find("secret: ~", "secret").0, None);
        assert_eq!(find("secret: 'null'", "secret").0.as_deref(), Some("null"));
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n";
        assert_eq!(find(text, "b.x").0.as_deref(), Some("1"));
        assert_eq!(find(text, "b.y").0.as_deref(), Some("3"));
        assert_eq!(find(text, "c.y").0.as_deref(), Some("2"));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, line) in [
            ("a: 1\nb: [1\n", 2),
            ("a: 1\na: 2\n", 2),
            ("a: 1\n---\nb: 2\n", 2),
            ("a: 1\n? [b]\n: 2\n", 2),
            ("a: *b\n", 1),
            ("a: &a\n  b: *a\n", 2),
        ] {
            let error = read_text(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {}", error.reason);
        }
    }

    #[test]
    fn aliases_of_aliases_do_not_fill_the_memory() {
        let level = |at: usize| format!("a{at}: &a{at} [{}]", vec![format!("*a{}", at - 1); 10].join(", "));
        let lines: Vec<String> =
            std::iter::once("a0: &a0 [x]".to_owned()).chain((1..20).map(level)).collect();
        let text = lines.join("\n");
        assert!(read_text(&text).unwrap_err().reason.contains("too large"));
    }
}
