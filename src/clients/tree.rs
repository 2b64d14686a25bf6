//! A configuration as values with their places: what JSON, TOML and YAML have in common.

use std::ops::Range;

use serde_json::{Map, Value as Plain};

use crate::clients::Fault;

/// Deepest nesting that is read.
pub(super) const DEEPEST: usize = 128;

/// A value and where it stands, in bytes of the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Object(Vec<Member>),
    Array(Vec<Node>),
    Text(String),
    /// A number, a word, a date.
    Other,
}

/// A member of an object, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

impl Node {
    /// Moves every place.
    pub(super) fn shift(&mut self, by: usize) {
        let moved = |span: &Range<usize>| span.start + by..span.end + by;
        self.span = moved(&self.span);
        match &mut self.value {
            Value::Object(members) => members.iter_mut().for_each(|member| {
                member.key_span = moved(&member.key_span);
                member.node.shift(by);
            }),
            Value::Array(nodes) => nodes.iter_mut().for_each(|node| node.shift(by)),
            Value::Text(_) | Value::Other => {}
        }
    }

    /// No key stands twice in an object: readers differ in which of the two counts.
    pub(super) fn once_each(&self) -> Result<(), Fault> {
        match &self.value {
            Value::Object(members) => {
                let mut sorted: Vec<&Member> = members.iter().collect();
                sorted.sort_by(|a, b| (&a.key, a.key_span.start).cmp(&(&b.key, b.key_span.start)));
                if let Some([_, second]) = sorted.windows(2).find(|pair| pair[0].key == pair[1].key) {
                    let detail = "the key that begins here stands a second time in its object";
                    return Err(Fault::new(second.key_span.start, detail));
                }
                members.iter().try_for_each(|member| member.node.once_each())
            }
            Value::Array(nodes) => nodes.iter().try_for_each(Node::once_each),
            Value::Text(_) | Value::Other => Ok(()),
        }
    }

    pub(super) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    pub(super) fn member(&self, key: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.member(key).map(|member| &member.node)
    }

    pub(super) fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key.as_ref()))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn elements(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Array(nodes) => Some(nodes),
            _ => None,
        }
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// What it says, without places; what is no text is as it is spelled.
    pub(super) fn plain(&self, text: &str) -> Plain {
        match &self.value {
            Value::Object(members) => {
                let members = members.iter().map(|member| (member.key.clone(), member.node.plain(text)));
                Plain::Object(members.collect::<Map<_, _>>())
            }
            Value::Array(nodes) => Plain::Array(nodes.iter().map(|node| node.plain(text)).collect()),
            Value::Text(said) => Plain::String(said.clone()),
            // As an array of one, so that it is never taken for a text.
            Value::Other => Plain::Array(vec![text.get(self.span.clone()).unwrap_or_default().into()]),
        }
    }
}

/// Line and column, both from 1, columns in characters.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
