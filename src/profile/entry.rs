//! One line of a list of paths: a string, or a table `{ path = "…", reason = "…", optional = true }`.

use crate::profile::problem::Problem;
use crate::profile::tree::{Node, Sourced, Table};

/// One line of `filesystem.read`, `filesystem.write`, `process.execute` or a rule's `within`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The path as written, with its variables.
    pub path: Sourced<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A string, or a table `{ path = "...", reason = "...", optional = true }`.
pub(super) fn read<'t>(table: &Table<'t>, key: &str, node: Node<'t>) -> Option<Entry> {
    if node.get_ref().is_str() {
        return table.as_string(key, node).map(|path| Entry { path, reason: None, optional: false });
    }
    if !node.get_ref().is_table() {
        return table.mistyped(key, node, "a path, or a table like { path = \"…\", reason = \"…\" }");
    }
    let mut fields = table.as_table(key, node)?;
    let path = fields.string("path");
    let reason = fields.string("reason").map(|reason| reason.value);
    let optional = fields.boolean("optional").is_some_and(|optional| optional.value);
    if path.is_none() && !fields.entries().any(|(name, _)| name.value == "path") {
        let origin = table.reading().origin(&node.span());
        table
            .reading()
            .report(Problem::new(origin, format!("an entry of `{}` has no `path`", table.dotted(key))));
    }
    fields.finish();
    path.map(|path| Entry { path, reason, optional })
}
