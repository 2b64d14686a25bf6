//! Argument rules: what a call may say in its arguments.
//!
//! Rules of the profile first, argument by argument in the order of their names; then the default path rule for
//! everything that no `within` has judged. A rule sees each string below its argument, and a number or boolean as its JSON
//! text; what is absent or `null` breaks no rule. A refusal names the argument, the rule and the line, and never the
//! value: values do not reach the log.

pub mod ground;
mod lookalike;
mod outside;
mod place;
pub(in crate::mcp) mod rule;
mod spelling;
#[cfg(test)]
mod tests;
pub(in crate::mcp) mod url;
mod within;

use std::collections::BTreeMap;

use crate::jsonrpc::{Kind, Node, Raw, Tree};
use crate::mcp::arguments::ground::{Folders, Ground};
use crate::mcp::arguments::outside::{Outside, outside};
use crate::mcp::arguments::rule::Rule;
use crate::mcp::refusal::Refusal;
use crate::policy::argument::OutsidePaths;
use crate::policy::grant::{Origin, Stated};
use crate::policy::reason::Reason;
use crate::policy::tools::{ToolRule, Tools};
use crate::policy::verdict::Remedy;

pub use crate::mcp::arguments::rule::Error;
pub(super) use crate::mcp::arguments::rule::key;

/// Most values and names in the arguments of one call.
const MAX_VALUES: usize = 1 << 20;

/// The compiled rules of all tools.
#[derive(Debug)]
pub(super) struct Arguments {
    ground: Ground,
    granted: Folders,
    tools: BTreeMap<String, ToolArguments>,
    /// For tools without a rule: whether paths outside every grant are refused, and the line that says so.
    outside: (OutsidePaths, Option<Origin>),
}

/// Those of one tool.
#[derive(Debug)]
struct ToolArguments {
    rules: Vec<Rule>,
    outside: (OutsidePaths, Option<Origin>),
}

impl Arguments {
    /// Compiles the rules. What they name on the disk is looked at here, once.
    ///
    /// # Errors
    /// A pattern or a host that is none.
    pub(super) fn new(tools: &Tools, ground: Ground) -> Result<Self, Error> {
        let by_default = if ground.refuse_outside { OutsidePaths::Refuse } else { OutsidePaths::Allow };
        let outside = said(tools.outside_paths.as_ref()).unwrap_or((by_default, None));
        let compile = |(name, rule): (&String, &ToolRule)| -> Result<(String, ToolArguments), Error> {
            let rules =
                rule.argument.values().map(|rule| Rule::new(rule, &ground)).collect::<Result<_, _>>()?;
            let outside = said(rule.outside_paths.as_ref()).unwrap_or_else(|| outside.clone());
            Ok((name.clone(), ToolArguments { rules, outside }))
        };
        let tools = tools.rule.iter().map(compile).collect::<Result<_, _>>()?;
        let granted = Folders::of(&ground.granted, &*ground.disk);
        Ok(Arguments { ground, granted, tools, outside })
    }

    /// Why a call may not be made with these arguments, if it may not. They were scanned.
    pub(super) fn refuse(&self, tool: &str, arguments: Option<Raw<'_>>) -> Option<Refusal> {
        let own = self.tools.get(tool);
        let (rules, outside) = own.map_or((&[][..], &self.outside), |own| (&own.rules[..], &own.outside));
        let arguments = arguments?;
        if rules.is_empty() && outside.0 == OutsidePaths::Allow {
            return None;
        }
        let tree = match Tree::read(arguments.0, u32::MAX, MAX_VALUES) {
            Ok(tree) => tree,
            Err(error) => {
                let detail = format!("the arguments cannot be judged: {error}");
                return Some(Refusal::never(
                    Reason::ArgsTooMany,
                    detail,
                    "what was not judged is not passed on",
                ));
            }
        };
        let mut judged = Judged::new(&tree);
        for rule in rules {
            for node in place::find(&tree, &rule.at) {
                if let Some(refusal) = rule.refuse(tool, &tree, node, &self.ground) {
                    return Some(refusal);
                }
                judged.by(rule, node);
            }
        }
        if outside.0 == OutsidePaths::Allow {
            return None;
        }
        judged.left().find_map(|node| {
            let text = tree.string(node)?;
            let found = self::outside(&text, &self.granted, &self.ground)?;
            Some(refused(tool, &tree.pointer(node), found, outside.1.as_ref()))
        })
    }
}

fn said(stated: Option<&Stated<OutsidePaths>>) -> Option<(OutsidePaths, Option<Origin>)> {
    stated.map(|stated| (stated.value, Some(stated.origin.clone())))
}

/// Which strings the default path rule still has to judge.
struct Judged<'t> {
    tree: &'t Tree<'t>,
    /// Nodes of arguments with `within`, whose values were judged more strictly.
    values: Vec<(Node, Node)>,
    /// Nodes of arguments in which a path is text.
    all: Vec<(Node, Node)>,
}

impl<'t> Judged<'t> {
    fn new(tree: &'t Tree<'t>) -> Self {
        Judged { tree, values: Vec::new(), all: Vec::new() }
    }

    fn by(&mut self, rule: &Rule, node: Node) {
        let range = (node, self.tree.next(node));
        if rule.paths_are_text {
            self.all.push(range);
        } else if rule.judges_paths() {
            self.values.push(range);
        }
    }

    fn left(&self) -> impl Iterator<Item = Node> {
        let holds =
            |ranges: &[(Node, Node)], node| ranges.iter().any(|(from, to)| (*from..*to).contains(&node));
        let names = self.names();
        let count = Node::try_from(self.tree.len()).unwrap_or(Node::MAX);
        (0..count).filter(move |node| {
            self.tree.kind(*node) == Kind::String
                && !holds(&self.all, *node)
                && (!holds(&self.values, *node) || names.binary_search(node).is_ok())
        })
    }

    /// The nodes that are names of members, in order; only needed where values are not judged again.
    fn names(&self) -> Vec<Node> {
        let mut names = Vec::new();
        for (from, to) in &self.values {
            for node in *from..*to {
                names.extend(self.tree.members(node).map(|(name, _)| name));
            }
        }
        names.sort_unstable();
        names
    }
}

/// The refusal of a path outside every grant.
fn refused(tool: &str, pointer: &str, found: Outside, line: Option<&Origin>) -> Refusal {
    let what = match found {
        Outside::Path => "is a path outside every grant",
        Outside::Link => "is a path that leads out of every grant, by a symbolic link",
        Outside::Unreadable => "is a path that cannot be looked at",
    };
    let line = line.map_or("the default under --env prod".to_owned(), Origin::to_string);
    let argument = pointer.strip_prefix('/').unwrap_or(pointer);
    Refusal::new(
        Reason::ArgsPathOutside,
        format!("the argument \"{argument}\" {what} (outside_paths = \"refuse\", {line})"),
        Remedy::Line(format!("tools.rule.{}.outside_paths = \"allow\"", key(tool))),
    )
}
