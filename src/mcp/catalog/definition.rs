//! One tool as a list defines it, and the page that it stands on.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::jsonrpc::{Kind, Node, Tree, folded};
use crate::mcp::catalog::Cursor;
use crate::mcp::refusal::Refusal;
use crate::mcp::schema::{self, Bounds, Compiled};

/// Members of a tool that decide something: another spelling of one is read by some and not by others.
const TOOL: [&str; 7] =
    ["name", "title", "description", "inputSchema", "outputSchema", "annotations", "execution"];

/// What a server says of a tool's behaviour. `None`: nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `readOnlyHint`: it changes nothing.
    pub read_only: Option<bool>,
    /// `destructiveHint`: it may destroy something.
    pub destructive: Option<bool>,
    /// `idempotentHint`: a second call with the same arguments changes nothing more.
    pub idempotent: Option<bool>,
    /// `openWorldHint`: it reaches out to other systems.
    pub open_world: Option<bool>,
}

/// One tool.
#[derive(Debug, Default)]
pub(super) struct Definition {
    pub(super) name: Box<str>,
    /// The text of `inputSchema`.
    pub(super) input: Option<Box<str>>,
    pub(super) annotations: Annotations,
    /// Why nobody can rely on it.
    pub(super) defect: Option<Refusal>,
    /// The schema, read when the tool is first called: most of a list never are.
    compiled: OnceLock<Result<Compiled, schema::Error>>,
}

impl Definition {
    /// Nothing but a name.
    pub(super) fn named(name: &str) -> Self {
        Definition { name: name.into(), ..Definition::default() }
    }

    /// A name that nobody can rely on.
    pub(super) fn spoiled(name: &str, defect: &Refusal) -> Self {
        Definition { defect: Some(defect.clone()), ..Definition::named(name) }
    }

    /// What it takes to keep it.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Definition>() + self.name.len() + self.input.as_ref().map_or(0, |input| input.len())
    }

    /// Takes over what was worked out for the same text before.
    pub(super) fn inherit(&mut self, before: Definition) {
        if self.input == before.input {
            self.compiled = before.compiled;
        }
    }

    /// What its arguments are checked with.
    pub(super) fn schema(&self) -> Result<&Compiled, &schema::Error> {
        let read = || match &self.input {
            Some(input) => schema::compile(input, Bounds::DEFAULT),
            None => Err(schema::Error::none()),
        };
        self.compiled.get_or_init(read).as_ref()
    }
}

/// A page of a list.
pub(super) struct Page {
    /// The tools that can be named, and their nodes.
    pub(super) tools: Vec<(Node, Definition)>,
    pub(super) next: Cursor,
}

/// Reads the result of a `tools/list`.
pub(super) fn page(tree: &Tree<'_>) -> Result<Page, Refusal> {
    let (tools, next) = next_page(tree, "tools", "tool")?;
    let tools = tree.elements(tools).map(|tool| (tool, definition(tree, tool))).collect();
    Ok(Page { tools, next })
}

/// The array `list` of a result that lists what `noun` says, and the page that comes next.
pub(in crate::mcp) fn next_page(
    tree: &Tree<'_>,
    list: &'static str,
    noun: &str,
) -> Result<(Node, Cursor), Refusal> {
    if let Some(meant) = misspelt(tree, 0, &[list, "nextCursor"]) {
        return Err(Refusal::no_list(noun, &format!("a member is named like \"{meant}\" but for its case")));
    }
    let Some(elements) = tree.member(0, list).filter(|elements| tree.kind(*elements) == Kind::Array) else {
        return Err(Refusal::no_list(noun, &format!("\"{list}\" is no array")));
    };
    let next = match tree.member(0, "nextCursor").map(|next| (tree.kind(next), tree.string(next))) {
        None | Some((Kind::Null, _)) => None,
        Some((_, Some(next))) => Some(next.into()),
        Some((_, None)) => return Err(Refusal::no_list(noun, "\"nextCursor\" is no string")),
    };
    Ok((elements, next))
}

/// The nodes and names of the tools on a page that was read; a tool without a name has an empty one.
pub(super) fn names<'t>(tree: &'t Tree<'_>) -> impl Iterator<Item = (Node, Cow<'t, str>)> {
    let tools = tree.member(0, "tools");
    tools.into_iter().flat_map(|tools| tree.elements(tools)).map(|tool| (tool, name(tree, tool)))
}

fn name<'t>(tree: &'t Tree<'_>, tool: Node) -> Cow<'t, str> {
    tree.member(tool, "name").and_then(|name| tree.string(name)).unwrap_or_default()
}

fn definition(tree: &Tree<'_>, tool: Node) -> Definition {
    let name = name(tree, tool);
    let defect = defect(tree, tool);
    if defect.is_some() {
        return Definition { defect, ..Definition::named(&name) };
    }
    let hints = tree.member(tool, "annotations");
    let hint = |name| match tree.raw(tree.member(hints?, name)?) {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    Definition {
        input: tree.member(tool, "inputSchema").map(|schema| tree.raw(schema).into()),
        annotations: Annotations {
            read_only: hint("readOnlyHint"),
            destructive: hint("destructiveHint"),
            idempotent: hint("idempotentHint"),
            open_world: hint("openWorldHint"),
        },
        ..Definition::named(&name)
    }
}

/// What keeps two readers from reading the same in a definition.
fn defect(tree: &Tree<'_>, tool: Node) -> Option<Refusal> {
    if tree.kind(tool) != Kind::Object {
        return Some(Refusal::ambiguous_tool("it is no object"));
    }
    if let Some(name) = tree.duplicate(tool) {
        let what = format!("{} has the member {} twice", tree.pointer(name), tree.raw(name));
        return Some(Refusal::ambiguous_tool(&what));
    }
    if let Some(meant) = misspelt(tree, tool, &TOOL) {
        return Some(Refusal::ambiguous_tool(&format!(
            "a member is named like \"{meant}\" but for its case"
        )));
    }
    match &*name(tree, tool) {
        "" => Some(Refusal::ambiguous_tool("it has no name")),
        name if name.contains('\0') => Some(Refusal::ambiguous_tool("there is a NUL in its name")),
        _ => None,
    }
}

/// Which of `names` a member is, but for its case.
fn misspelt(tree: &Tree<'_>, object: Node, names: &[&'static str]) -> Option<&'static str> {
    let members = tree.members(object).filter_map(|(key, _)| tree.string(key));
    members.into_iter().find_map(|member| {
        let number = folded(&member);
        names.iter().copied().find(|name| folded(name) == number && *name != member)
    })
}
