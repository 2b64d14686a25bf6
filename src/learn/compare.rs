//! What a proposal changes about the profile that the sessions ran under, grant by grant.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::policy::Policy;
use crate::policy::grant::{Access, Grant};
use crate::profile::Resolved;

/// One grant that comes or goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// `true`: the proposal adds it. `false`: the sessions had it and did not need it.
    pub added: bool,
    /// Its key.
    pub key: &'static str,
    /// The path.
    pub path: String,
    /// The line that has it now.
    pub line: Option<String>,
}

/// The difference, without what both have from the base.
pub(super) fn changes(current: &Resolved, proposed: &Resolved, base: &Resolved) -> Vec<Change> {
    let known: BTreeSet<_> = keys(&base.policy).collect();
    let (now, then): (BTreeSet<_>, BTreeSet<_>) =
        (keys(&current.policy).collect(), keys(&proposed.policy).collect());
    let mut changes = Vec::new();
    for (added, policy, other) in [(true, &proposed.policy, &now), (false, &current.policy, &then)] {
        for (access, grant) in grants(policy) {
            let key = key(access, grant);
            if known.contains(&key) || other.contains(&key) {
                continue;
            }
            let line = (!added).then(|| grant.origin.to_string());
            changes.push(Change { added, key: access.key(), path: key.1, line });
        }
    }
    changes.sort();
    changes
}

fn keys(policy: &Policy) -> impl Iterator<Item = (Access, String)> {
    grants(policy).map(|(access, grant)| key(access, grant))
}

/// Two names of one place are one grant.
fn key(access: Access, grant: &Grant) -> (Access, String) {
    let real = grant.path.canonicalize().unwrap_or_else(|_| grant.path.clone());
    (access, real.display().to_string())
}

fn grants(policy: &Policy) -> impl Iterator<Item = (Access, &Grant)> {
    let read = policy.filesystem.read.iter().map(|grant| (Access::Read, grant));
    let write = policy.filesystem.write.iter().map(|grant| (Access::Write, grant));
    read.chain(write).chain(policy.process.execute.iter().map(|grant| (Access::Execute, grant)))
}
