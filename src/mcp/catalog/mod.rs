//! What the server said of its tools: learned from every answer to `tools/list`, page by page.
//!
//! A listing begins with a first page and is complete with the page that names no next one; then tools that it did not
//! show are gone, and a call of one is refused. Until the first listing is complete nothing is known to be missing.
//! `notifications/tools/list_changed` changes nothing here: what the server adds exists once a list has shown it.
//!
//! The invariant: a definition that two readers could take for different ones is nobody's. It is cut out of the answer
//! and its name cannot be called: members twice or in another case, the same name twice, names that differ in case.
//!
//! Rests on the Model Context Protocol, "Tools" and "Pagination", revisions 2024-11-05 to 2026-07-28.

pub(in crate::mcp) mod cut;
mod definition;

use std::collections::{HashMap, HashSet};

use crate::jsonrpc::{Node, Raw, Tree, folded};
use crate::mcp::catalog::definition::Definition;
use crate::mcp::refusal::Refusal;
use crate::mcp::schema::{self, Compiled};

pub use crate::mcp::catalog::definition::Annotations;
pub(super) use crate::mcp::catalog::definition::next_page;

/// Most tools that are known at once.
const MAX_TOOLS: usize = 10_000;
/// Most bytes of definitions that are kept.
const MAX_BYTES: usize = 16 << 20;
/// Most values and names in one answer.
const MAX_NODES: usize = 4 << 20;

/// Which page was asked for: `None` is the first one. An empty cursor is one like any other.
pub type Cursor = Option<Box<str>>;

/// A tool, or another thing on a list, that is not shown, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Its name, where it has one.
    pub name: String,
    /// What is wrong with its definition; `None`: the policy refuses it, or it is held back.
    pub defect: Option<Refusal>,
}

/// What an answer to `tools/list`, or to another list, amounts to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// What the client is not shown.
    pub hidden: Vec<Hidden>,
    /// The result without them; `None`: it goes on as it is.
    pub result: Option<String>,
}

/// A listing whose last page was not seen yet.
#[derive(Debug, Default)]
struct Building {
    /// The page that comes next.
    next: Cursor,
    names: HashSet<Box<str>>,
}

/// Everything that is known of a server's tools.
#[derive(Debug, Default)]
pub struct Catalog {
    tools: HashMap<Box<str>, Definition>,
    /// The names that every reader tells apart, by their folded number.
    folds: HashMap<u64, Box<str>>,
    bytes: usize,
    building: Option<Building>,
    complete: bool,
}

impl Catalog {
    /// What the server said of a tool's behaviour, when it was listed.
    pub fn annotations(&self, tool: &str) -> Option<Annotations> {
        self.tools.get(tool).map(|definition| definition.annotations)
    }

    /// Whether a list has shown the tool.
    pub(super) fn knows(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// Why a tool of this name cannot be called, as far as the lists say.
    pub(super) fn refuse(&self, tool: &str) -> Option<Refusal> {
        match self.tools.get(tool) {
            Some(definition) => definition.defect.clone(),
            None if self.complete => Some(Refusal::unknown_tool(tool)),
            None => None,
        }
    }

    /// The names on the last list, where that was read to its end.
    pub(super) fn whole(&self) -> Option<impl Iterator<Item = &str>> {
        (self.complete && self.building.is_none()).then(|| self.tools.keys().map(|name| &**name))
    }

    /// What arguments of a tool are checked with; `None` when no list has shown it.
    pub(super) fn schema(&self, tool: &str) -> Option<Result<&Compiled, &schema::Error>> {
        self.tools.get(tool).map(Definition::schema)
    }

    /// Learns from the result of a `tools/list`. `is_hidden` says which tools the policy does not show; `modern`
    /// whether the answer may be cached.
    ///
    /// # Errors
    /// A result that is no list of tools to every reader.
    pub(super) fn learn(
        &mut self,
        result: Raw<'_>,
        cursor: &Cursor,
        modern: bool,
        mut is_hidden: impl FnMut(&Tree<'_>, Node, &str) -> bool,
    ) -> Result<Listing, Refusal> {
        let tree = Tree::read(result.0, u32::MAX, MAX_NODES)
            .map_err(|error| Refusal::no_list("tool", &error.to_string()))?;
        let page = definition::page(&tree)?;
        let attached = self.begin(cursor);
        let mut defects: HashMap<Node, Refusal> = HashMap::new();
        for (node, definition) in page.tools {
            defects.extend(self.keep(definition, attached).map(|defect| (node, defect)));
        }
        let mut hidden: Vec<(Node, Hidden)> = Vec::new();
        for (node, name) in definition::names(&tree) {
            // A name that collided only later on the page was good when it was read.
            let defect = defects
                .remove(&node)
                .or_else(|| self.tools.get(&*name).and_then(|definition| definition.defect.clone()));
            if defect.is_some() || is_hidden(&tree, node, &name) {
                hidden.push((node, Hidden { name: name.into_owned(), defect }));
            }
        }
        self.end(attached, page.next);
        let is_cut = |node| hidden.binary_search_by_key(&node, |(node, _)| *node).is_ok();
        let result = (!hidden.is_empty()).then(|| cut::without(&tree, "tools", is_cut, modern));
        Ok(Listing { hidden: hidden.into_iter().map(|(_, hidden)| hidden).collect(), result })
    }

    /// Whether the page continues (or begins) the listing that is being read.
    fn begin(&mut self, cursor: &Cursor) -> bool {
        if cursor.is_none() {
            self.building = Some(Building::default());
            return true;
        }
        self.building.as_ref().is_some_and(|building| building.next == *cursor)
    }

    /// Keeps a definition; what is wrong with it in this company.
    fn keep(&mut self, definition: Definition, attached: bool) -> Option<Refusal> {
        let (name, fold) = (definition.name.clone(), folded(&definition.name));
        let other = self.folds.get(&fold).filter(|other| self.is_current(other, attached)).cloned();
        let building = self.building.as_mut().filter(|_| attached);
        let again = building.is_some_and(|building| !building.names.insert(name.clone()));
        let other = other.filter(|other| *other != name).or(again.then(|| name.clone()));
        if let Some(other) = other {
            let what = if other == name {
                format!("\"{name}\" is listed twice")
            } else {
                format!("\"{other}\" and \"{name}\" are listed, which some readers take for one name")
            };
            let defect = Refusal::ambiguous_tool(&what);
            self.put(Definition::spoiled(&other, &defect));
            self.put(Definition::spoiled(&name, &defect));
            return Some(defect);
        }
        let full = self.tools.len() >= MAX_TOOLS && !self.tools.contains_key(&name);
        if full || self.bytes + definition.bytes() > MAX_BYTES {
            return Some(Refusal::ambiguous_tool("more tools are listed than are kept track of"));
        }
        self.folds.insert(fold, name);
        let defect = definition.defect.clone();
        self.put(definition);
        defect
    }

    /// Whether a name that is known counts beside one of a page: in a listing, only if that has shown it too.
    fn is_current(&self, name: &str, attached: bool) -> bool {
        match &self.building {
            Some(building) if attached => building.names.contains(name),
            _ => self.tools.contains_key(name),
        }
    }

    fn put(&mut self, mut definition: Definition) {
        if let Some(before) = self.tools.remove(&definition.name) {
            self.bytes -= before.bytes();
            definition.inherit(before);
        }
        self.bytes += definition.bytes();
        self.tools.insert(definition.name.clone(), definition);
    }

    /// After a page: the listing goes on, or is complete.
    fn end(&mut self, attached: bool, next: Cursor) {
        if !attached {
            return;
        }
        let Some(building) = &mut self.building else { return };
        if next.is_some() {
            building.next = next;
            return;
        }
        let names = std::mem::take(&mut building.names);
        self.building = None;
        self.complete = true;
        self.tools.retain(|name, _| names.contains(name));
        self.bytes = self.tools.values().map(Definition::bytes).sum();
        self.folds.retain(|_, name| names.contains(name));
    }
}

#[cfg(test)]
mod tests;
