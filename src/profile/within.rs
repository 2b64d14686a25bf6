//! The folders of `within`: variables expanded, and there.
//!
//! A folder that does not exist is an error unless it is optional: a rule with a misspelt folder would refuse
//! everything, and nobody would know why.

use std::path::PathBuf;

use crate::policy::tools::Tools;
use crate::profile::context::Context;
use crate::profile::entry::Entry;
use crate::profile::grants;
use crate::profile::problem::Problem;
use crate::profile::tool_laws::Within;
use crate::profile::variables::Variables;

/// Fills in the folders of every rule.
pub(super) fn fill(
    tools: &mut Tools,
    within: &[Within],
    variables: &Variables<'_>,
    context: &Context,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Within { tool, argument, entries } in within {
        let mut folders = Vec::new();
        for entry in entries {
            match folder(entry, variables, context) {
                Ok(found) => folders.extend(found),
                Err(problem) => problems.push(problem),
            }
        }
        folders.sort();
        folders.dedup();
        let rule = tools.rule.get_mut(tool).and_then(|rule| rule.argument.get_mut(argument));
        if let Some(within) = rule.and_then(|rule| rule.within.as_mut()) {
            within.value = folders;
        }
    }
    problems
}

fn folder(entry: &Entry, variables: &Variables<'_>, context: &Context) -> Result<Option<PathBuf>, Problem> {
    let Some(path) = grants::expand_path(entry, variables, context)? else { return Ok(None) };
    // What is relative still has a variable in it: the profile is only shown.
    if path.is_relative() || path.exists() {
        return Ok(Some(path));
    }
    if entry.optional {
        return Ok(None);
    }
    let message = format!("`within` of {}: it does not exist", path.display());
    Err(Problem::new(entry.path.origin.clone(), message)
        .help("create it, or mark the entry `optional = true`"))
}
