//! Where the schemas of a document are, and what each may be called: `$id`, `$anchor`, JSON pointers.
//!
//! The whole document is walked once. A name that two schemas have is an error: which of them is meant would be up to
//! the reader. Nothing outside of the document is ever looked for.

use std::collections::HashMap;

use crate::jsonrpc::{Kind, Node, Tree};
use crate::mcp::percent;
use crate::mcp::schema::dialect::{Dialect, Holds};
use crate::mcp::schema::error::{Error, What};
use crate::mcp::schema::uri;

/// Number of a base.
type Base = usize;

/// The names of one document.
#[derive(Debug)]
pub(super) struct Resources<'t> {
    tree: &'t Tree<'t>,
    dialect: Dialect,
    /// `(URI, the schema that it names)`.
    bases: Vec<(String, Node)>,
    by_uri: HashMap<String, Base>,
    anchors: HashMap<(Base, String), Node>,
    /// The base of every schema that was walked over.
    base_of: HashMap<Node, Base>,
    /// Bytes of names that were made, which are counted because each can be as long as all before it.
    length: usize,
    /// Members and elements that pointers were followed past.
    steps: usize,
}

/// Most bytes of names.
const MAX_LENGTH: usize = 1 << 20;
/// Most members and elements that all pointers together are followed past.
const MAX_STEPS: usize = 1 << 20;

impl<'t> Resources<'t> {
    /// Walks over a document.
    pub(super) fn new(tree: &'t Tree<'t>, dialect: Dialect) -> Result<Self, Error> {
        let mut resources = Resources {
            tree,
            dialect,
            bases: vec![(String::new(), 0)],
            by_uri: HashMap::from([(String::new(), 0)]),
            anchors: HashMap::new(),
            base_of: HashMap::new(),
            length: 0,
            steps: 0,
        };
        resources.walk(0, 0)?;
        Ok(resources)
    }

    /// Walks over a schema and all in it, as seen from `base`.
    fn walk(&mut self, root: Node, base: Base) -> Result<(), Error> {
        let mut ahead = vec![(root, base)];
        while let Some((schema, base)) = ahead.pop() {
            if self.base_of.contains_key(&schema) {
                continue;
            }
            let base = self.identify(schema, base)?;
            self.base_of.insert(schema, base);
            for (key, value) in self.tree.members(schema) {
                let holds = self.tree.string(key).and_then(|key| self.dialect.holds(&key));
                let is_list = self.tree.kind(value) == Kind::Array;
                match holds {
                    Some(Holds::One) => ahead.push((value, base)),
                    Some(Holds::OneOrList) if !is_list => ahead.push((value, base)),
                    Some(Holds::List | Holds::OneOrList) => {
                        ahead.extend(self.tree.elements(value).map(|element| (element, base)));
                    }
                    Some(Holds::Map | Holds::MapOrNames) => {
                        ahead.extend(self.tree.members(value).map(|(_, value)| (value, base)));
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Takes the names that a schema gives itself; the base that holds within it.
    fn identify(&mut self, schema: Node, base: Base) -> Result<Base, Error> {
        let tree = self.tree;
        let mut base = base;
        // In draft-07 what stands beside `$ref` is not looked at.
        let is_reference = self.dialect == Dialect::Draft7 && tree.member(schema, "$ref").is_some();
        if let Some(id) = tree.member(schema, "$id").filter(|_| !is_reference) {
            let Some(text) = tree.string(id) else {
                return Err(self.error(id, What::Value("$id", "a string")));
            };
            let (name, fragment) = uri::split_fragment(&text);
            if !name.is_empty() {
                base = self.name(schema, id, name, base)?;
            }
            match (self.dialect, fragment) {
                (_, None | Some("")) => {}
                (Dialect::Draft7, Some(anchor)) => self.anchor(schema, id, anchor, base)?,
                (Dialect::Draft2020, Some(_)) => {
                    return Err(self.error(id, What::Value("$id", "without a fragment")));
                }
            }
        }
        if self.dialect == Dialect::Draft2020 {
            for keyword in ["$anchor", "$dynamicAnchor"] {
                let Some(anchor) = tree.member(schema, keyword) else { continue };
                match tree.string(anchor) {
                    Some(name) => self.anchor(schema, anchor, &name, base)?,
                    None => return Err(self.error(anchor, What::Value(keyword, "a string"))),
                }
            }
        }
        Ok(base)
    }

    fn name(&mut self, schema: Node, id: Node, name: &str, base: Base) -> Result<Base, Error> {
        let above = self.bases.get(base).map(|(uri, _)| uri.as_str()).unwrap_or_default();
        let uri = uri::resolve(above, name);
        self.length += uri.len();
        if self.length > MAX_LENGTH {
            return Err(self.error(id, What::TooLarge("names of schemas", MAX_LENGTH)));
        }
        let number = self.bases.len();
        self.bases.push((uri.clone(), schema));
        if self.by_uri.insert(uri, number).is_some() {
            return Err(self.error(id, What::Twice("$id")));
        }
        Ok(number)
    }

    fn anchor(&mut self, schema: Node, at: Node, name: &str, base: Base) -> Result<(), Error> {
        match self.anchors.insert((base, name.to_owned()), schema) {
            Some(other) if other != schema => Err(self.error(at, What::Twice("$anchor"))),
            _ => Ok(()),
        }
    }

    fn error(&self, at: Node, what: What) -> Error {
        Error { at: self.tree.pointer(at), what }
    }

    /// The schema that a `$ref` in `schema` means.
    pub(super) fn resolve(&mut self, schema: Node, at: Node, reference: &str) -> Result<Node, Error> {
        let lost = || What::Unresolved(reference.to_owned());
        let base = self.base_of.get(&schema).copied().unwrap_or_default();
        let (name, fragment) = uri::split_fragment(reference);
        let base = if name.is_empty() {
            base
        } else {
            let above = self.bases.get(base).map(|(uri, _)| uri.as_str()).unwrap_or_default();
            let uri = uri::resolve(above, name);
            self.by_uri.get(&uri).copied().ok_or_else(|| self.error(at, lost()))?
        };
        let root = self.bases.get(base).map(|(_, root)| *root).unwrap_or_default();
        let fragment =
            percent::decoded(fragment.unwrap_or_default(), |_| true).ok_or_else(|| self.error(at, lost()))?;
        if fragment.is_empty() {
            return Ok(root);
        }
        if !fragment.starts_with('/') {
            let found = self.anchors.get(&(base, fragment)).copied();
            return found.ok_or_else(|| self.error(at, lost()));
        }
        let found = self.follow(root, base, &fragment);
        if self.steps > MAX_STEPS {
            return Err(self.error(at, What::TooLarge("steps along references", MAX_STEPS)));
        }
        let (target, base) = found.ok_or_else(|| self.error(at, lost()))?;
        // It may stand where no keyword has a schema: then it was not walked over.
        self.walk(target, base)?;
        Ok(target)
    }

    /// Follows a JSON pointer; with the base that holds where it leads.
    fn follow(&mut self, root: Node, base: Base, pointer: &str) -> Option<(Node, Base)> {
        let (mut at, mut base) = (root, base);
        for token in pointer.split('/').skip(1) {
            base = self.base_of.get(&at).copied().unwrap_or(base);
            self.steps = self.steps.saturating_add(self.tree.count(at) + 1);
            if self.steps > MAX_STEPS {
                return None;
            }
            let name = token.replace("~1", "/").replace("~0", "~");
            at = match self.tree.kind(at) {
                Kind::Object => self.tree.member(at, &name)?,
                Kind::Array if name == "0" || !name.starts_with('0') => {
                    self.tree.elements(at).nth(name.parse().ok()?)?
                }
                _ => return None,
            };
        }
        Some((at, base))
    }
}
