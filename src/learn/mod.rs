//! `learn`: from what recorded sessions did to a proposed profile.
//!
//! ```text
//! log → trace (what was done, how often, for which tool) → wants (what a grant has to give)
//!     → generalise (few grants, each widening named) → proposal → checked as every profile is
//! ```
//!
//! Invariants: nothing is learned from what was refused, and nothing that no profile can grant. A widening stays
//! outside homes, folders of the system and folders of many owners, and is named. What is proposed is resolved like any
//! profile before it is shown; a line that the checks refuse is left out, and that is said.

mod compare;
mod generalise;
mod grants;
mod render;
pub mod trace;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::learn::grants::Claims;
use crate::learn::trace::Trace;
use crate::policy::Environment;
use crate::profile::context::Context;
use crate::profile::{self, Resolved};

pub use crate::learn::compare::Change;
pub use crate::learn::grants::Given;

/// What a proposal is made against.
pub struct Surroundings<'s> {
    /// The command of the sessions, their folder, their workspace.
    pub context: &'s Context,
    /// The shipped profile of the command's runtime: what it covers is not granted again.
    pub base: &'s str,
    /// The profile that the sessions ran under, when it can still be read.
    pub current: Option<&'s Resolved>,
    /// The words of the command, when all sessions have the same; a grant below one of them follows it.
    pub argv: Option<&'s [OsString]>,
    /// Whether a workspace was chosen, or the folder of the sessions can be one.
    pub workspace: Option<&'s Path>,
}

/// Something that was done and is not in the proposal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A proposed profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The profile, as a file.
    pub text: String,
    /// Its grants.
    pub grants: Vec<Given>,
    /// What was seen and is not granted.
    pub left_out: Vec<LeftOut>,
    /// Against the profile that the sessions ran under; `None` when that cannot be read.
    pub changes: Option<Vec<Change>>,
}

/// Why there is no proposal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No session matches.
    #[error("no session of that name is in the log")]
    Nothing,
    /// The sessions are of different programs.
    #[error("the sessions ran different programs: {first} and {other}; choose one with --session")]
    Mixed {
        /// One.
        first: String,
        /// Another.
        other: String,
    },
    /// The shipped profile of the runtime does not fit the command any more.
    #[error("the profile \"{base}\" cannot be resolved for this command: {problem}")]
    Base {
        /// Which.
        base: String,
        /// What is wrong.
        problem: String,
    },
    /// A path could not be compared.
    #[error(transparent)]
    Unreadable(#[from] profile::why::Error),
    /// What would be granted cannot be looked at.
    #[error("cannot tell what is never granted: {0}")]
    Never(String),
    /// The proposal is refused by the checks for another reason than one of its grants.
    #[error("the proposal would be refused: {0}")]
    Refused(String),
}

/// Proposes a profile.
///
/// # Errors
/// See [`Error`].
pub fn propose(trace: &Trace, around: &Surroundings<'_>) -> Result<Proposal, Error> {
    let base = resolve(around.base, around)?;
    let mut claims = Claims::of(trace, &base, around)?;
    let mut given = generalise::generalise(&mut claims, around);
    // The checks of every profile have the last word; each pass takes at least one line out.
    loop {
        let text = render::render(trace, around, &base, &given);
        let resolved = match profile::resolve_text(&text.text, Environment::Prod, around.context) {
            Ok(resolved) => resolved,
            Err(problems) => {
                let refused: Vec<(usize, String)> = problems
                    .0
                    .iter()
                    .filter_map(|problem| {
                        Some((text.grant_at(problem.origin.line)?, problem.message.clone()))
                    })
                    .collect();
                if refused.is_empty() {
                    return Err(Error::Refused(problems.to_string()));
                }
                for (at, why) in
                    refused.into_iter().rev().collect::<std::collections::BTreeMap<_, _>>().into_iter().rev()
                {
                    let out = given.remove(at);
                    claims.left_out.push(LeftOut { what: out.shown(), why });
                }
                continue;
            }
        };
        let mut left_out = claims.left_out;
        left_out.extend(grants::refused(trace));
        left_out.sort();
        left_out.dedup();
        let changes = around.current.map(|current| compare::changes(current, &resolved, &base));
        return Ok(Proposal { text: text.text, grants: given, left_out, changes });
    }
}

fn resolve(name: &str, around: &Surroundings<'_>) -> Result<Resolved, Error> {
    let request = profile::Request {
        profile: name.to_owned(),
        environment: Environment::Prod,
        flags: profile::Flags::default(),
    };
    profile::resolve(&request, around.context)
        .map_err(|problems| Error::Base { base: name.to_owned(), problem: problems.to_string() })
}

/// Absolute paths only, as they stand in the log.
fn path_of(text: &str) -> Option<PathBuf> {
    text.starts_with('/').then(|| PathBuf::from(text))
}
