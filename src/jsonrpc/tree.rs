//! A value as a flat list of nodes, in the order of the text: what rules about the inside of a value walk over.
//!
//! A node is twenty bytes and a place in the text; nothing is decoded before it is asked for, and neither reading nor
//! skipping a subtree uses any stack. Names are not compared here: what must be unambiguous was scanned with
//! [`scan`](crate::jsonrpc::scan), or is asked with [`Tree::duplicate`].

use std::borrow::Cow;

use crate::jsonrpc::fault::{Fault, ScanError};
use crate::jsonrpc::scan::Scanner;
use crate::jsonrpc::strings;

/// Index of a node. The root is 0.
pub type Node = u32;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: Kind,
    /// A string with escapes in it.
    escapes: bool,
    start: u32,
    end: u32,
    /// The first node after this one and everything in it.
    next: Node,
    /// Elements or members.
    count: u32,
}

/// A value that was read.
#[derive(Debug, Clone)]
pub struct Tree<'a> {
    text: Cow<'a, str>,
    nodes: Vec<Entry>,
}

/// Why a text became no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// It is not one JSON value, or too deep.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// It has more values and names than this.
    #[error("more than {0} values")]
    TooMany(usize),
}

impl<'a> Tree<'a> {
    /// Reads one value. At most `max_depth` levels and `max_nodes` values and names.
    ///
    /// # Errors
    /// What is not one JSON value, or larger than allowed.
    pub fn read(
        text: impl Into<Cow<'a, str>>,
        max_depth: u32,
        max_nodes: usize,
    ) -> Result<Tree<'a>, TreeError> {
        let text = text.into();
        let nodes = nodes(&text, max_depth, max_nodes)?;
        Ok(Tree { text, nodes })
    }

    fn entry(&self, node: Node) -> Option<&Entry> {
        self.nodes.get(node as usize)
    }

    /// How many nodes there are: values and names.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: a tree has at least its root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// What the node is; `Null` for one that is not there.
    #[inline]
    pub fn kind(&self, node: Node) -> Kind {
        self.entry(node).map_or(Kind::Null, |entry| entry.kind)
    }

    /// Its text.
    #[inline]
    pub fn raw(&self, node: Node) -> &str {
        self.entry(node).and_then(|e| self.text.get(e.start as usize..e.end as usize)).unwrap_or_default()
    }

    /// Where its text begins, in bytes of the whole.
    pub fn offset(&self, node: Node) -> usize {
        self.entry(node).map_or(0, |entry| entry.start as usize)
    }

    /// What a string says; `None` for other values.
    #[inline]
    pub fn string(&self, node: Node) -> Option<Cow<'_, str>> {
        let entry = self.entry(node).filter(|entry| entry.kind == Kind::String)?;
        let inside = self.text.get(entry.start as usize + 1..(entry.end as usize).checked_sub(1)?)?;
        Some(if entry.escapes { strings::unescape(inside) } else { Cow::Borrowed(inside) })
    }

    /// Elements of an array, members of an object; 0 for other values.
    #[inline]
    pub fn count(&self, node: Node) -> usize {
        self.entry(node).map_or(0, |entry| entry.count as usize)
    }

    /// The first node after this one and everything in it.
    #[inline]
    pub fn next(&self, node: Node) -> Node {
        self.entry(node).map_or(node.saturating_add(1), |entry| entry.next)
    }

    /// The elements of an array; of nothing else.
    pub fn elements(&self, node: Node) -> Elements<'_> {
        let is_array = self.kind(node) == Kind::Array;
        Elements {
            nodes: &self.nodes,
            at: node.saturating_add(1),
            end: if is_array { self.next(node) } else { 0 },
        }
    }

    /// `(name, value)` of an object's members; of nothing else.
    pub fn members(&self, node: Node) -> Members<'_> {
        let is_object = self.kind(node) == Kind::Object;
        Members {
            nodes: &self.nodes,
            at: node.saturating_add(1),
            end: if is_object { self.next(node) } else { 0 },
        }
    }

    /// The value of the member with this name.
    pub fn member(&self, node: Node, name: &str) -> Option<Node> {
        self.members(node)
            .find(|(key, _)| self.string(*key).is_some_and(|key| key == name))
            .map(|(_, value)| value)
    }

    /// The first name that an object has twice, escapes decoded: this node, or one anywhere within.
    pub fn duplicate(&self, node: Node) -> Option<Node> {
        let mut names: Vec<(Cow<'_, str>, Node)> = Vec::new();
        for object in node..self.next(node) {
            if self.kind(object) != Kind::Object || self.count(object) < 2 {
                continue;
            }
            names.clear();
            names.extend(self.members(object).map(|(key, _)| (self.string(key).unwrap_or_default(), key)));
            names.sort_unstable();
            let twice = names.windows(2).find_map(|pair| match pair {
                [(one, _), (other, key)] if one == other => Some(*key),
                _ => None,
            });
            if twice.is_some() {
                return twice;
            }
        }
        None
    }

    /// Where a node is, as a JSON pointer (RFC 6901) from the root.
    pub fn pointer(&self, node: Node) -> String {
        let mut pointer = String::new();
        let mut at = 0;
        while at != node {
            let within = |child: Node| child <= node && node < self.next(child);
            let step = match self.kind(at) {
                Kind::Object => self.members(at).find(|(key, value)| *key == node || within(*value)).map(
                    |(key, value)| {
                        let name = self.string(key).unwrap_or_default();
                        (name.replace('~', "~0").replace('/', "~1"), if key == node { key } else { value })
                    },
                ),
                Kind::Array => self
                    .elements(at)
                    .enumerate()
                    .find(|(_, element)| within(*element))
                    .map(|(n, element)| (n.to_string(), element)),
                _ => None,
            };
            let Some((name, child)) = step else { break };
            pointer.push('/');
            pointer.push_str(&name);
            at = child;
        }
        pointer
    }

    /// The same, not bound to the text it was read from.
    pub fn into_owned(self) -> Tree<'static> {
        Tree { text: Cow::Owned(self.text.into_owned()), nodes: self.nodes }
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct Elements<'t> {
    nodes: &'t [Entry],
    at: Node,
    end: Node,
}

impl Iterator for Elements<'_> {
    type Item = Node;

    #[inline]
    fn next(&mut self) -> Option<Node> {
        if self.at >= self.end {
            return None;
        }
        let element = self.at;
        self.at = self.nodes.get(element as usize)?.next;
        Some(element)
    }
}

/// The members of an object.
#[derive(Debug, Clone)]
pub struct Members<'t> {
    nodes: &'t [Entry],
    at: Node,
    end: Node,
}

impl Iterator for Members<'_> {
    type Item = (Node, Node);

    #[inline]
    fn next(&mut self) -> Option<(Node, Node)> {
        if self.at >= self.end {
            return None;
        }
        let (key, value) = (self.at, self.at + 1);
        self.at = self.nodes.get(value as usize)?.next;
        Some((key, value))
    }
}

/// Reads `text` into nodes.
fn nodes(text: &str, max_depth: u32, max_nodes: usize) -> Result<Vec<Entry>, TreeError> {
    let max_nodes = max_nodes.min(u32::MAX as usize / 2);
    let mut reading = Reading {
        scanner: Scanner::new(text, max_depth),
        nodes: Vec::with_capacity((text.len() / 12).min(max_nodes)),
        open: Vec::new(),
        max_depth,
        max_nodes,
    };
    if u32::try_from(text.len()).is_err() {
        return Err(TreeError::TooMany(max_nodes));
    }
    reading.scanner.space()?;
    reading.value()?;
    reading.scanner.end()?;
    Ok(reading.nodes)
}

struct Reading<'s> {
    scanner: Scanner<'s>,
    nodes: Vec<Entry>,
    /// Objects and arrays that are open.
    open: Vec<usize>,
    max_depth: u32,
    max_nodes: usize,
}

impl Reading<'_> {
    /// Takes one value, however deep.
    fn value(&mut self) -> Result<(), TreeError> {
        loop {
            let opened = match self.scanner.peek() {
                Some(b'{') => self.open(Kind::Object)?,
                Some(b'[') => self.open(Kind::Array)?,
                _ => self.scalar().map(|()| false)?,
            };
            if !opened && self.close()? {
                return Ok(());
            }
        }
    }

    fn push(&mut self, kind: Kind, start: usize, escapes: bool) -> Result<usize, TreeError> {
        if self.nodes.len() >= self.max_nodes {
            return Err(TreeError::TooMany(self.max_nodes));
        }
        let index = self.nodes.len();
        // The text is shorter than 4 GiB, and so are the nodes fewer.
        let end = self.scanner.offset() as u32;
        self.nodes.push(Entry { kind, escapes, start: start as u32, end, next: index as u32 + 1, count: 0 });
        Ok(index)
    }

    fn scalar(&mut self) -> Result<(), TreeError> {
        let start = self.scanner.offset();
        let (kind, escapes) = match self.scanner.peek() {
            Some(b'"') => (Kind::String, self.scanner.string()?.1),
            head => {
                self.scanner.scalar()?;
                let kind = match head {
                    Some(b't' | b'f') => Kind::Boolean,
                    Some(b'n') => Kind::Null,
                    _ => Kind::Number,
                };
                (kind, false)
            }
        };
        self.push(kind, start, escapes).map(drop)
    }

    /// True if something is in it.
    fn open(&mut self, kind: Kind) -> Result<bool, TreeError> {
        if self.open.len() >= self.max_depth as usize {
            return Err(self.scanner.fault(Fault::TooDeep(self.max_depth)).into());
        }
        let bracket = if kind == Kind::Object { (b'{', b'}') } else { (b'[', b']') };
        let start = self.scanner.offset();
        self.scanner.eat(bracket.0);
        self.scanner.space()?;
        let empty = self.scanner.eat(bracket.1);
        let index = self.push(kind, start, false)?;
        if !empty {
            self.open.push(index);
            self.enter(index)?;
        }
        Ok(!empty)
    }

    /// The next element or member of this one begins.
    fn enter(&mut self, index: usize) -> Result<(), TreeError> {
        let Some(entry) = self.nodes.get_mut(index) else { return Ok(()) };
        entry.count += 1;
        if entry.kind != Kind::Object {
            return Ok(());
        }
        let start = self.scanner.offset();
        if self.scanner.peek() != Some(b'"') {
            return Err(self.scanner.fault(Fault::Expected("a name in quotes")).into());
        }
        let (_, escapes) = self.scanner.string()?;
        self.push(Kind::String, start, escapes)?;
        self.scanner.colon()?;
        Ok(())
    }

    /// After a value: closes what ends here. True when nothing is open any more, false when another value comes.
    fn close(&mut self) -> Result<bool, TreeError> {
        while let Some(index) = self.open.last().copied() {
            self.scanner.space()?;
            if self.scanner.eat(b',') {
                self.scanner.space()?;
                self.enter(index)?;
                return Ok(false);
            }
            let next = self.nodes.len() as u32;
            let Some(entry) = self.nodes.get_mut(index) else { return Ok(true) };
            let (closing, wanted) =
                if entry.kind == Kind::Object { (b'}', "`,` or `}`") } else { (b']', "`,` or `]`") };
            if !self.scanner.eat(closing) {
                return Err(self.scanner.fault(Fault::Expected(wanted)).into());
            }
            entry.end = self.scanner.offset() as u32;
            entry.next = next;
            self.open.pop();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn tree(text: &str) -> Tree<'_> {
        Tree::read(text, 64, 1000).unwrap()
    }

    fn value(tree: &Tree<'_>, node: Node) -> Value {
        match tree.kind(node) {
            Kind::Null => Value::Null,
            Kind::Boolean => Value::Bool(tree.raw(node) == "true"),
            Kind::Number => serde_json::from_str(tree.raw(node)).unwrap(),
            Kind::String => Value::String(tree.string(node).unwrap().into_owned()),
            Kind::Array => tree.elements(node).map(|element| value(tree, element)).collect(),
            Kind::Object => {
                let members = tree.members(node);
                members.map(|(key, of)| (tree.string(key).unwrap().into_owned(), value(tree, of))).collect()
            }
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,9}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_tree_says_what_the_text_says(expected in any_value()) {
            let text = expected.to_string();
            let tree = Tree::read(text.as_str(), 64, 10_000).unwrap();
            prop_assert_eq!(value(&tree, 0), expected.clone());
            for node in 0..tree.len() as Node {
                let pointer = tree.pointer(node);
                let found = expected.pointer(&pointer);
                prop_assert!(found.is_some(), "{} in {}", pointer, text);
            }
        }
    }

    #[test]
    fn nodes_know_where_they_are() {
        let tree = tree(r#" {"a/b" : [ 1 , {"c~":null} ], "\u0064":{} } "#);
        let list = tree.member(0, "a/b").unwrap();
        let object = tree.elements(list).nth(1).unwrap();
        let null = tree.member(object, "c~").unwrap();
        assert_eq!(tree.pointer(null), "/a~1b/1/c~0");
        assert_eq!((tree.raw(object), tree.count(list)), (r#"{"c~":null}"#, 2));
        assert_eq!(tree.raw(tree.member(0, "d").unwrap()), "{}");
        assert_eq!(tree.elements(0).count() + tree.members(list).count(), 0);
    }

    #[test]
    fn names_that_stand_twice_are_found_at_any_depth() {
        assert!(tree(r#"{"a":{"b":1,"c":[{"x":1,"\u0078":2}]}}"#).duplicate(0).is_some());
        assert_eq!(tree(r#"{"a":{"a":{"A":1}},"b":[{"a":1},{"a":1}]}"#).duplicate(0), None);
    }

    #[test]
    fn what_is_too_large_or_no_value_is_refused() {
        assert!(matches!(Tree::read("[1,2]", 9, 2), Err(TreeError::TooMany(2))));
        let deep = Tree::read("[[[]]]", 2, 9);
        assert!(matches!(deep, Err(TreeError::Scan(ScanError { fault: Fault::TooDeep(2), .. }))), "{deep:?}");
        for bad in
            ["", "{", "[1", "{\"a\"}", "{\"a\":}", "[1,]", "{,}", "1 2", "[1}", "{1:2}", "{\"a\":1,}", "nul"]
        {
            assert!(Tree::read(bad, 9, 99).is_err(), "{bad}");
        }
    }
}
