//! A verdict is a value: `Allow` carries a permit, `Deny` carries all that a record and an answer need.
//! An error is for what broke; a refusal is not an error.

use serde::Serialize;

use crate::policy::reason::Reason;

/// Which part of the pen refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The kernel's Landlock rules.
    Landlock,
    /// The seccomp allow-list.
    Seccomp,
    /// The notification broker.
    Broker,
    /// The message gate.
    Gate,
    /// The network broker.
    Network,
}

/// A refusal: stable reason, layer, and what would allow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The stable code.
    pub reason: Reason,
    /// Who refused.
    pub layer: Layer,
    /// The exact line or flag that would allow it, or why there is none.
    pub remedy: Remedy,
}

/// What would allow a refused thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The exact TOML line or command.
    Line(String),
    /// Nothing is proposed, for this reason.
    WhyNot(String),
}

impl Remedy {
    /// The `remedy` field of an event.
    pub fn line(&self) -> Option<&str> {
        match self {
            Remedy::Line(line) => Some(line),
            Remedy::WhyNot(_) => None,
        }
    }

    /// The `why_not` field of an event.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Remedy::Line(_) => None,
            Remedy::WhyNot(why) => Some(why),
        }
    }
}

/// The outcome of a judgement. `P` is the permit that the acting code takes by value.
#[must_use = "a verdict that nobody acts on protects nothing"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<P = ()> {
    /// Go on, with this permit.
    Allow(P),
    /// Refused.
    Deny(Denial),
}

/// `verdict` as it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ruling {
    /// `"allow"`.
    Allow,
    /// `"deny"`.
    Deny,
}
