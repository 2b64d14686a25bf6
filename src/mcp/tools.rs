//! Which tools may be called, and which only once a person has said yes: `tools.deny` first, then `tools.ask`, then
//! `tools.allow`, then `tools.default`.
//!
//! Names are data: compared byte for byte as the server will, never normalised. A `*` crosses every character.

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::Value;

use crate::mcp::refusal::Refusal;
use crate::policy::reason::Reason;
use crate::policy::tools::{ToolDefault, ToolPattern, Tools};
use crate::policy::verdict::Remedy;

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
    allow: GlobSet,
    ask: GlobSet,
    deny: GlobSet,
    /// What the workspace's own file takes away.
    taken: GlobSet,
    tools: Tools,
}

impl Rules {
    /// # Errors
    /// A pattern that is no glob.
    pub(super) fn new(tools: &Tools) -> Result<Self, Error> {
        let (allow, ask, deny) = (compile(&tools.allow)?, compile(&tools.ask)?, compile(&tools.deny)?);
        let taken = compile(tools.taken.as_ref().map(|taken| &*taken.allow).unwrap_or_default())?;
        Ok(Rules { allow, ask, deny, taken, tools: tools.clone() })
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
        let is_named = self.allow.is_match(tool) || self.ask.is_match(tool);
        (self.tools.default == ToolDefault::Deny && !is_named).then(|| {
            let at = self.default_line();
            Refusal::new(
                Reason::ToolNotListed,
                format!("tools.default is \"deny\"{at}, and tools.allow does not name it"),
                match self.why_taken(tool) {
                    Some(why) => Remedy::WhyNot(why),
                    None => Remedy::Line(format!("tools.allow = [{}]", Value::from(escaped(tool)))),
                },
            )
        })
    }

    /// Why a line of the profile would not help: it lets the tool be called, and the workspace's own file does not.
    fn why_taken(&self, tool: &str) -> Option<String> {
        let taken = self.tools.taken.as_ref()?;
        let first = self.taken.matches(tool).into_iter().min();
        taken.why(first.and_then(|at| taken.allow.get(at)))
    }

    /// The rule by which a call of `tool` waits for a person's yes, if one does so.
    pub(super) fn asks(&self, tool: &str) -> Option<String> {
        let first = self.ask.matches(tool).into_iter().min().and_then(|at| self.tools.ask.get(at));
        if let Some(ToolPattern { glob, origin }) = first {
            return Some(format!("tools.ask has \"{glob}\" ({origin})"));
        }
        (self.tools.default == ToolDefault::Ask && !self.allow.is_match(tool))
            .then(|| format!("tools.default is \"ask\"{}", self.default_line()))
    }

    fn default_line(&self) -> String {
        self.tools.default_origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default()
    }
}

/// One set of all patterns of a list.
fn compile(patterns: &[ToolPattern]) -> Result<GlobSet, Error> {
    let error = |pattern: &ToolPattern, error: &globset::Error| Error {
        pattern: pattern.clone(),
        detail: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(&pattern.glob).map_err(|found| error(pattern, &found))?);
    }
    match (set.build(), patterns.last()) {
        (Ok(set), _) => Ok(set),
        (Err(found), Some(pattern)) => Err(error(pattern, &found)),
        (Err(_), None) => Ok(GlobSet::empty()),
    }
}

/// A name as a glob that matches nothing else.
fn escaped(name: &str) -> String {
    globset::escape(name)
}
