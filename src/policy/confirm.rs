//! `[confirm]`: how a person is asked before a call is made, and for how long.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// How long an answer is waited for when no file says so.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Through the client, as servers ask their users.
    Elicitation,
    /// A dialog on the desktop.
    Desktop,
    /// `caponier approve` in another terminal.
    Terminal,
}

impl Channel {
    /// All there are, in the order in which a profile names them.
    pub const ALL: [Channel; 3] = [Channel::Elicitation, Channel::Desktop, Channel::Terminal];

    /// The word of the profile.
    pub fn word(self) -> &'static str {
        match self {
            Channel::Elicitation => "elicitation",
            Channel::Desktop => "desktop",
            Channel::Terminal => "terminal",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `[confirm]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirm {
    /// The ways that may be used.
    pub channels: BTreeSet<Channel>,
    /// No answer in this time is a no.
    pub timeout: Duration,
}

impl Default for Confirm {
    fn default() -> Self {
        Confirm { channels: Channel::ALL.into(), timeout: TIMEOUT }
    }
}
