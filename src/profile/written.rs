//! `process.execute_writable`: the one exception to "what can be written is never executed", and how narrow it is.
//!
//! `npx` and `uvx` unpack a package and then execute what they unpacked. An entry names a folder below `${server.cache}`
//! and nothing else: a folder of ours that is made for one server. What is shared with anybody (the workspace, a home, a
//! temporary folder, what a flag grants) cannot be written in an entry at all, so no check of a path decides here that a
//! server could have bent. Rests on `landlock(7)`: rights are added up along a path.

use std::path::{Component, Path, PathBuf};

use crate::policy::grant::Grant;
use crate::profile::entry::Entry;
use crate::profile::problem::Problem;
use crate::profile::variables::{Expansion, Variables};

/// What every entry begins with.
const BELOW: &str = "${server.cache}/";

/// The grants of these entries, each path once.
pub(super) fn grants(
    entries: &[Entry],
    variables: &Variables<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Grant> {
    let mut grants = Vec::new();
    for entry in entries {
        match grant(entry, variables) {
            Ok(grant) => grants.push(grant),
            Err(problem) => problems.push(problem),
        }
    }
    grants.sort_by(|a, b| (&a.path, &a.origin).cmp(&(&b.path, &b.origin)));
    grants.dedup_by(|next, kept| next.path == kept.path);
    grants
}

fn grant(entry: &Entry, variables: &Variables<'_>) -> Result<Grant, Problem> {
    let written = &entry.path.value;
    let problem = |message: String| Problem::new(entry.path.origin.clone(), message);
    let named = format!("`process.execute_writable` of {}", written.escape_debug());
    if !written.strip_prefix(BELOW).is_some_and(is_plain) {
        let message =
            format!("{named}: what a server writes is executed nowhere but below ${{server.cache}}");
        let help = "name a folder in it, such as \"${server.cache}/bin\": it is this server's alone; env.set leads the \
                    server there";
        return Err(problem(message).help(help));
    }
    if entry.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
        let message = format!("{named} has no reason");
        let help = "write { path = \"…\", reason = \"…\" }: whoever allows this has to say what for";
        return Err(problem(message).help(help));
    }
    let path = match variables.path(written) {
        Ok(Expansion::Text(text)) => PathBuf::from(text),
        Ok(Expansion::Later) => PathBuf::from(written),
        Err(error) => return Err(problem(format!("{named}: {error}"))),
    };
    Ok(Grant { path, reason: entry.reason.clone(), optional: false, origin: entry.path.origin.clone() })
}

/// Folders with names, one in the other, and no variable among them.
fn is_plain(below: &str) -> bool {
    let mut parts = Path::new(below).components().peekable();
    let clean = !below.is_empty() && !below.contains(['$', '\0']) && parts.peek().is_some();
    clean && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_with_names_are_plain() {
        for good in ["npm", "npm/_npx", "a/b/c", "a/./b", "a/"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", ".", "..", "a/../b", "/", "/etc", "${workspace}", "a/${home}", "a\0b"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}
