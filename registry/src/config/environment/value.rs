//! From the text of a variable to the value that it sets.

use super::names::Target;
use crate::config::{
    check,
    document::{self, SyntaxError},
    error::Error,
    keys::{self, Kind, Place},
    origin::Origin,
    tree::{Node, Value},
};

/// Reads the text as its target takes it.
pub(super) fn read(target: &Target, text: &str, origin: &Origin) -> Result<Node, Error> {
    let literal = || Node::scalar(text, origin.clone());
    if target.in_file {
        return Ok(literal());
    }
    match keys::place(&target.path.pattern()) {
        Some(Place::Key(_, key)) if key.kind == Kind::Text => Ok(literal()),
        // What is written here is mostly a header, and most headers are no YAML.
        Some(Place::Inside(..)) => {
            Ok(yaml(text, origin).ok().filter(is_text_or_list).unwrap_or_else(literal))
        }
        _ => {
            let node = yaml(text, origin)
                .map_err(|SyntaxError { reason, .. }| Error::Syntax { origin: origin.clone(), reason })?;
            Ok(check::spell_out_choice(&target.path, node))
        }
    }
}

fn yaml(text: &str, origin: &Origin) -> Result<Node, SyntaxError> {
    document::read(text, &|_| origin.clone())
}

fn is_text_or_list(node: &Node) -> bool {
    matches!(node.value, Value::Scalar(_) | Value::List(_))
}
