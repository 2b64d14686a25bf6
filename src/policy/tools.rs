//! `[tools]`: which tools may be called, how often, for how long, and with which arguments.
//!
//! Pure data. Every value remembers the line that states it, because every refusal names that line.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::policy::argument::{ArgumentRule, OutsidePaths};
use crate::policy::grant::{Origin, Stated, taken_away};

/// `[tools]`, as far as it is enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tools {
    /// For tools that no list names.
    pub default: ToolDefault,
    /// Globs on tool names that may be called, each with the line that says so.
    pub allow: Vec<ToolPattern>,
    /// Globs on tool names that may be called once a person has said yes, each with the line that says so.
    pub ask: Vec<ToolPattern>,
    /// Globs on tool names that may never be called, each with the line that says so.
    pub deny: Vec<ToolPattern>,
    /// The line of `default`, when a file wrote one.
    pub default_origin: Option<Origin>,
    /// What holds for the calls of all tools together (`calls`, `concurrent`) or of each (`timeout`, `result_size`).
    pub all: Caps,
    /// What becomes of paths outside every grant.
    pub outside_paths: Option<Stated<OutsidePaths>>,
    /// What becomes of a tool that was caught doing what it declares not to do.
    pub mismatch: Option<Stated<OnMismatch>>,
    /// `tools.rule.NAME`, by the tool's exact name.
    pub rule: BTreeMap<String, ToolRule>,
    /// What would let tools be called, had the workspace's own file no list. It allows nothing, and explains why.
    #[serde(skip)]
    pub taken: Option<TakenTools>,
}

/// What the profile says of tools, where the workspace's own file says which are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenTools {
    /// What lets every tool be called: the profile's `default`.
    pub default: Option<Origin>,
    /// The profile's `allow`.
    pub allow: Vec<ToolPattern>,
    /// The file's list.
    pub by: Origin,
}

impl TakenTools {
    /// Why a line of the profile would not help with a tool that the file does not list. `pattern` is the one of
    /// [`TakenTools::allow`] that names the tool.
    pub fn why(&self, pattern: Option<&ToolPattern>) -> Option<String> {
        let given = pattern.map(|pattern| &pattern.origin).or(self.default.as_ref())?;
        Some(taken_away(given, &self.by))
    }
}

impl Tools {
    /// Whether there may be a call that a person is asked about.
    pub fn asks(&self) -> bool {
        self.default == ToolDefault::Ask || !self.ask.is_empty()
    }
}

/// `tools.default`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolDefault {
    /// Every tool that is not denied may be called.
    #[default]
    Allow,
    /// Every tool that neither `tools.allow` nor `tools.deny` names may be called once a person has said yes.
    Ask,
    /// Only tools that `tools.allow` or `tools.ask` names may be called.
    Deny,
}

/// One glob on tool names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolPattern {
    /// The glob, as written.
    pub glob: String,
    /// The line that it stands on.
    pub origin: Origin,
}

/// How much may be called. `None` within a value is a written `"none"`, which overrides what holds for all tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// How often.
    pub calls: Option<Stated<Option<Rate>>>,
    /// How many at a time.
    pub concurrent: Option<Stated<Option<u32>>>,
    /// How long a call may take.
    pub timeout: Option<Stated<Option<Duration>>>,
    /// How many bytes an answer may have.
    pub result_size: Option<Stated<Option<u64>>>,
}

/// A rate: so many calls in a period, all of which may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls per period; never 0.
    pub count: u32,
    /// The period.
    pub per: Period,
}

/// The period of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// `/s`
    Second,
    /// `/min`
    Minute,
    /// `/h`
    Hour,
}

impl Period {
    /// Its length in seconds.
    pub fn seconds(self) -> u32 {
        match self {
            Period::Second => 1,
            Period::Minute => 60,
            Period::Hour => 3600,
        }
    }
}

impl Rate {
    /// Calls per hour, to compare rates by.
    pub fn hourly(self) -> u64 {
        u64::from(self.count) * u64::from(3600 / self.per.seconds())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per {
            Period::Second => "s",
            Period::Minute => "min",
            Period::Hour => "h",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `unknown_fields`: what becomes of a call with fields that the tool's schema does not list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownFields {
    /// It is refused.
    #[default]
    Reject,
    /// It passes, where the schema itself allows it.
    Allow,
}

/// `tools.mismatch`: what becomes of a tool whose calls did what its annotations deny.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnMismatch {
    /// It is recorded.
    #[default]
    Log,
    /// Further calls of it are refused too, for the rest of the session.
    DenyNext,
}

/// `tools.rule.NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ToolRule {
    /// What becomes of fields that the tool's schema does not list.
    pub unknown_fields: Option<Stated<UnknownFields>>,
    /// What holds for this tool's calls.
    pub caps: Caps,
    /// What becomes of paths outside every grant.
    pub outside_paths: Option<Stated<OutsidePaths>>,
    /// `argument.NAME`, by the name as written.
    pub argument: BTreeMap<String, ArgumentRule>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_compared_by_the_hour_and_shown_as_written() {
        let rate = |count, per| Rate { count, per };
        assert!(rate(1, Period::Second).hourly() > rate(59, Period::Minute).hourly());
        assert_eq!(rate(60, Period::Minute).hourly(), rate(1, Period::Second).hourly());
        assert_eq!(rate(30, Period::Minute).to_string(), "30/min");
    }
}
