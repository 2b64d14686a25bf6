//! Which tools may be called: `tools.deny` first, then `tools.default`.
//!
//! Names are data: compared byte for byte as the server will, never normalised. A `*` crosses every character.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::mcp::refusal::Refusal;
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;
use crate::policy::{ToolDefault, ToolPattern, Tools};

/// A pattern that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: \"{}\" is not a glob: {detail}", pattern.origin, pattern.glob)]
pub struct Error {
    /// The pattern and its line.
    pub pattern: ToolPattern,
    /// What is wrong with it.
    pub detail: String,
}

/// The compiled `[tools]`.
#[derive(Debug)]
pub(super) struct Rules {
    deny: GlobSet,
    tools: Tools,
}

impl Rules {
    pub(super) fn new(tools: &Tools) -> Result<Self, Error> {
        let error = |pattern: &ToolPattern, error: &globset::Error| Error {
            pattern: pattern.clone(),
            detail: error.kind().to_string(),
        };
        let mut deny = GlobSetBuilder::new();
        for pattern in &tools.deny {
            deny.add(Glob::new(&pattern.glob).map_err(|found| error(pattern, &found))?);
        }
        match (deny.build(), tools.deny.last()) {
            (Ok(deny), _) => Ok(Rules { deny, tools: tools.clone() }),
            (Err(found), Some(pattern)) => Err(error(pattern, &found)),
            (Err(_), None) => Ok(Rules { deny: GlobSet::empty(), tools: tools.clone() }),
        }
    }

    /// Why `tool` may not be called, if it may not.
    pub(super) fn refuse(&self, tool: &str) -> Option<Refusal> {
        let first = self.deny.matches(tool).into_iter().min().and_then(|at| self.tools.deny.get(at));
        if let Some(ToolPattern { glob, origin }) = first {
            return Some(Refusal::new(
                Reason::ToolDenied,
                format!("tools.deny has \"{glob}\" ({origin})"),
                Remedy::WhyNot(format!(
                    "the profile refuses this tool by name; whoever owns it can take \"{glob}\" out of tools.deny \
                     ({origin})"
                )),
            ));
        }
        (self.tools.default == ToolDefault::Deny).then(|| {
            let at = match &self.tools.default_origin {
                Some(origin) => format!(" ({origin})"),
                None => String::new(),
            };
            Refusal::new(
                Reason::ToolNotListed,
                format!("tools.default is \"deny\"{at}"),
                Remedy::Line("tools.default = \"allow\"".into()),
            )
        })
    }
}
