//! A JSON value of which only the meaning is left: no order of names, no spelling of numbers, no escapes.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::jsonrpc::{Kind, Node, Tree, TreeError};
use crate::mcp::schema::canonical_number;

/// Levels that are taken apart. What lies deeper stays text: no reader of schemas goes there.
const MAX_DEPTH: usize = 100;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number: one spelling for each.
    Number(Box<str>),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(BTreeMap<String, Value>),
    /// The text of a value that lies too deep.
    Deep(Box<str>),
}

impl Value {
    /// Reads one value of at most so many nodes.
    ///
    /// # Errors
    /// What is not one JSON value.
    pub fn parse(text: &str, max_nodes: usize) -> Result<Value, TreeError> {
        let tree = Tree::read(text, u32::MAX, max_nodes)?;
        Ok(Value::of(&tree, 0))
    }

    /// The value of a node.
    pub fn of(tree: &Tree<'_>, node: Node) -> Value {
        Value::below(tree, node, MAX_DEPTH)
    }

    fn below(tree: &Tree<'_>, node: Node, levels: usize) -> Value {
        match tree.kind(node) {
            Kind::Null => Value::Null,
            Kind::Boolean => Value::Bool(tree.raw(node) == "true"),
            Kind::Number => Value::Number(canonical_number(tree.raw(node)).into()),
            Kind::String => Value::String(tree.string(node).unwrap_or_default().into_owned()),
            Kind::Array | Kind::Object if levels == 0 => Value::Deep(tree.raw(node).into()),
            Kind::Array => {
                Value::Array(tree.elements(node).map(|of| Value::below(tree, of, levels - 1)).collect())
            }
            Kind::Object => Value::Object(
                tree.members(node)
                    .map(|(key, of)| {
                        let name = tree.string(key).unwrap_or_default().into_owned();
                        (name, Value::below(tree, of, levels - 1))
                    })
                    .collect(),
            ),
        }
    }

    /// SHA-256 of the canonical text, in hex.
    pub fn sha256(&self) -> String {
        use fmt::Write as _;
        let digest = Sha256::digest(self.to_string());
        digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.object()?.get(name)
    }

    /// The members, where it is an object.
    pub fn object(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements, where it is an array.
    pub fn array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The text, where it is a string.
    pub fn string(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The same object without a member.
    pub(super) fn without(&self, name: &str) -> Value {
        let mut value = self.clone();
        if let Value::Object(members) = &mut value {
            members.remove(name);
        }
        value
    }

    pub(super) fn is_empty_object(&self) -> bool {
        self.object().is_some_and(BTreeMap::is_empty)
    }

    /// Calls `each` with every string in it, names included.
    pub fn strings(&self, each: &mut impl FnMut(&str)) {
        match self {
            Value::String(text) => each(text),
            Value::Deep(text) => each(text),
            Value::Array(elements) => elements.iter().for_each(|element| element.strings(each)),
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                each(name);
                value.strings(each);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Canonical JSON: names sorted, no white space.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(text) | Value::Deep(text) => f.write_str(text),
            Value::String(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Value::Array(elements) => {
                f.write_str("[")?;
                for (n, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if n == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Value::Object(members) => {
                f.write_str("{")?;
                for (n, (name, value)) in members.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", serde_json::Value::from(name.as_str()))?;
                }
                f.write_str("}")
            }
        }
    }
}
