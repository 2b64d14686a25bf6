//! Arguments against the schema of a tool.
//!
//! The schema comes from the server, and so from whoever might attack us: it is read within [`Bounds`], evaluated with
//! fuel that is counted and not timed, and nothing it names is ever fetched. A schema that cannot be understood in all it
//! asks for is an [`Error`], never a weaker schema; a call that cannot be judged within the fuel is not judged good.
//!
//! *Closed*, a schema also refuses what it does not list: where some schema that holds for an object has `properties` or
//! `patternProperties`, every member must be described by one that holds, in `allOf`, `anyOf`, `oneOf`, `$ref` or `if` as
//! much as in the schema itself; the arguments themselves always. `additionalProperties` and `unevaluatedProperties`
//! describe what they are given. An object of which nothing at all is listed is of free form.
//!
//! Rests on JSON Schema draft-07 and 2020-12 (Core and Validation).

mod compile;
mod dialect;
mod equal;
mod error;
mod evaluate;
mod keyword;
mod number;
mod pattern;
mod resource;
mod uri;
mod violation;

use crate::jsonrpc::{Kind, Node, Tree, TreeError};
use crate::mcp::schema::evaluate::{Evaluation, Failure, Mark, Stop};
use crate::mcp::schema::keyword::{Rule, Schema};

pub use crate::mcp::schema::error::{Error, What};
pub use crate::mcp::schema::evaluate::GaveUp;
pub use crate::mcp::schema::number::{canonical_number, compare_numbers};
pub use crate::mcp::schema::pattern::Error as PatternError;
pub use crate::mcp::schema::violation::{Fault, Violation};

/// How large a schema may be, and how much an evaluation may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a schema.
    pub bytes: usize,
    /// Levels of JSON in a schema, and in arguments.
    pub levels: u32,
    /// Values and names in a schema.
    pub nodes: usize,
    /// Schemas within a schema.
    pub schemas: usize,
    /// Patterns in a schema.
    pub patterns: usize,
    /// Schemas that are evaluated within each other.
    pub depth: u32,
    /// Fuel for one evaluation, whatever the arguments.
    pub fuel: u64,
    /// Fuel that each value and name in the arguments adds.
    pub fuel_per_node: u64,
    /// Values and names in arguments.
    pub argument_nodes: usize,
}

impl Bounds {
    /// What holds for servers.
    pub const DEFAULT: Bounds = Bounds {
        bytes: 1 << 20,
        levels: 128,
        nodes: 65_536,
        schemas: 8_192,
        patterns: 256,
        depth: 128,
        fuel: 400_000,
        fuel_per_node: 16,
        argument_nodes: 1 << 20,
    };
}

/// Whether what no schema lists is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It is.
    Refused,
    /// It may be there, where the schema itself does not refuse it.
    Allowed,
}

/// A schema that was read.
#[derive(Debug)]
pub struct Compiled {
    document: Document,
    bounds: Bounds,
    /// Whether some keyword needs to know what others have looked at.
    has_unevaluated: bool,
}

/// The text of a schema, and what became of it.
#[derive(Debug)]
struct Document {
    tree: Tree<'static>,
    schemas: Vec<Schema>,
}

/// What is said of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They are what the schema asks for.
    Good,
    /// They are not.
    Bad(Violation),
    /// It cannot be known.
    Unknown(String),
}

/// Reads a schema.
///
/// # Errors
/// What it asks for is not understood, or is more than `bounds` allow.
pub fn compile(schema: &str, bounds: Bounds) -> Result<Compiled, Error> {
    let error = |what| Error { at: String::new(), what };
    if schema.len() > bounds.bytes {
        return Err(error(What::TooLarge("bytes", bounds.bytes)));
    }
    let tree = Tree::read(schema.to_owned(), bounds.levels, bounds.nodes).map_err(|found| match found {
        TreeError::TooMany(nodes) => error(What::TooLarge("values", nodes)),
        scan => error(What::Unreadable(scan)),
    })?;
    let schemas = compile::compile(&tree, &bounds)?;
    let is_unevaluated =
        |rule: &Rule| matches!(rule, Rule::UnevaluatedItems(_) | Rule::UnevaluatedProperties(_));
    let has_unevaluated = schemas.iter().any(|schema| match schema {
        Schema::Keywords(keywords) => keywords.iter().any(|keyword| is_unevaluated(&keyword.rule)),
        Schema::Always(..) => false,
    });
    Ok(Compiled { document: Document { tree, schemas }, bounds, has_unevaluated })
}

impl Compiled {
    /// Judges arguments, given as JSON that was scanned before.
    pub fn check(&self, arguments: &str, unlisted: Unlisted) -> Verdict {
        self.measure(arguments, unlisted).0
    }

    /// The same, with the fuel that it took.
    pub fn measure(&self, arguments: &str, unlisted: Unlisted) -> (Verdict, u64) {
        let tree = match Tree::read(arguments, self.bounds.levels, self.bounds.argument_nodes) {
            Ok(tree) => tree,
            Err(error) => return (Verdict::Unknown(format!("the arguments: {error}")), 0),
        };
        let fuel =
            self.bounds.fuel.saturating_add(self.bounds.fuel_per_node.saturating_mul(tree.len() as u64));
        let mut evaluation = Evaluation {
            document: &self.document,
            tree: &tree,
            fuel,
            depth: self.bounds.depth,
            marking: self.has_unevaluated || unlisted == Unlisted::Refused,
            marks: Vec::new(),
        };
        let outcome = evaluation.evaluate(0, 0).and_then(|()| match unlisted {
            Unlisted::Refused => closed(&mut evaluation),
            Unlisted::Allowed => Ok(()),
        });
        let verdict = match outcome {
            Ok(()) => Verdict::Good,
            Err(Stop::Failed(failure)) => Verdict::Bad(violation::describe(&self.document, &tree, failure)),
            Err(Stop::GaveUp(why)) => Verdict::Unknown(why.to_string()),
        };
        (verdict, fuel - evaluation.fuel)
    }
}

/// Whether every member of every object whose members are listed is described.
fn closed(evaluation: &mut Evaluation<'_>) -> Result<(), Stop> {
    let tree = evaluation.tree;
    evaluation.spend(evaluation.marks.len() as u64)?;
    let (mut listing, mut described) = (vec![0], Vec::<Node>::new());
    for mark in &evaluation.marks {
        match mark {
            Mark::Lists(node) => listing.push(*node),
            Mark::Described(node) => described.push(*node),
        }
    }
    listing.sort_unstable();
    listing.dedup();
    described.sort_unstable();
    for object in listing.into_iter().filter(|node| tree.kind(*node) == Kind::Object) {
        for (_, value) in tree.members(object) {
            evaluation.spend(1)?;
            if described.binary_search(&value).is_err() {
                return Err(Stop::Failed(Failure { node: value, keyword: violation::UNLISTED, at: 0 }));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
