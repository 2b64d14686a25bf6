//! `tools.rule.NAME.argument.NAME`: where in a call's arguments a rule looks, and what it wants.
//!
//! A name is the argument's own; `.` goes into an object and `[]` into each element of an array, so that
//! `edits[].oldText` is a member of each edit. A `.`, `[` or `\` that belongs to a name is written after a `\`.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::policy::grant::Stated;
use crate::policy::host::{self, Pattern};

/// The entry of `hosts` that stands for the profile's own list.
const NETWORK: &str = "network.allow";

/// The rules of one argument. A rule holds for every value below the argument: each string, and a number or boolean by
/// its JSON text; `null` is no value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ArgumentRule {
    /// Where.
    pub at: ArgumentPath,
    /// Folders that a path must lie in. Absolute; those with a variable that is not known yet are as written.
    pub within: Option<Stated<Vec<PathBuf>>>,
    /// Endings that a path must have, each with its dot.
    pub extensions: Option<Stated<Vec<String>>>,
    /// What no value may begin with.
    pub deny_prefix: Option<Stated<Vec<String>>>,
    /// The values that there may be.
    pub one_of: Option<Stated<Vec<String>>>,
    /// Hosts that a URL may lead to.
    pub hosts: Option<Stated<Vec<HostRule>>>,
    /// A regular expression that must match the whole value.
    pub pattern: Option<Stated<String>>,
    /// Most characters.
    pub max_length: Option<Stated<u32>>,
    /// What becomes of a path outside every grant.
    pub outside_paths: Option<Stated<OutsidePaths>>,
}

/// One entry of `hosts`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostRule {
    /// `network.allow`: whatever that list names.
    Network,
    /// These hosts, on this port or on any.
    Host(Pattern, Option<u16>),
}

impl HostRule {
    /// Reads `example.com`, `*.example.com:443` or `network.allow`.
    ///
    /// # Errors
    /// What makes it no host.
    pub fn parse(text: &str) -> Result<Self, host::Error> {
        if text == NETWORK {
            return Ok(HostRule::Network);
        }
        let error = match Pattern::parse(text) {
            Ok(pattern) => return Ok(HostRule::Host(pattern, None)),
            Err(error) => error,
        };
        let (host, port) = host::split_port(text, 1).map_err(|_| error)?;
        Ok(HostRule::Host(Pattern::parse(host)?, Some(port)))
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostRule::Network => f.write_str(NETWORK),
            HostRule::Host(pattern, None) => pattern.fmt(f),
            HostRule::Host(pattern, Some(port)) => write!(f, "{pattern}:{port}"),
        }
    }
}

impl Serialize for HostRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `outside_paths`: what becomes of a string argument that is a path outside every grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutsidePaths {
    /// The call is refused; what holds under `--env prod` when no file says anything.
    Refuse,
    /// The argument is text like any other.
    Allow,
}

/// Where in the arguments a value is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArgumentPath(Vec<Step>);

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The member of an object with this name.
    Member(String),
    /// Each element of an array.
    Each,
}

/// Why a text is no such place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `a..b`, `.a`, `a.` or nothing at all.
    #[error("a name in it is empty")]
    Empty,
    /// `a[0]`, `a[`.
    #[error("`[` is followed by `]`: a rule holds for each element")]
    Index,
    /// `a[]b`.
    #[error("`[]` is followed by nothing, `.` or `[]`")]
    Joined,
    /// `a\`.
    #[error("`\\` at its end")]
    Escape,
}

/// A pattern as it is compiled: it must match the whole value.
pub fn whole(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}

impl ArgumentPath {
    /// Reads `edits[].oldText`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut steps = Vec::new();
        let mut rest = text.chars().peekable();
        loop {
            let mut name = String::new();
            while let Some(c) = rest.next_if(|c| !matches!(c, '.' | '[')) {
                name.push(if c == '\\' { rest.next().ok_or(Error::Escape)? } else { c });
            }
            if name.is_empty() {
                return Err(Error::Empty);
            }
            steps.push(Step::Member(name));
            while rest.next_if_eq(&'[').is_some() {
                rest.next_if_eq(&']').ok_or(Error::Index)?;
                steps.push(Step::Each);
            }
            match rest.next() {
                None => return Ok(ArgumentPath(steps)),
                Some('.') => {}
                Some(_) => return Err(Error::Joined),
            }
        }
    }

    /// The steps, at least one; the first is a member.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for ArgumentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Each => f.write_str("[]")?,
                Step::Member(name) => {
                    if n > 0 {
                        f.write_str(".")?;
                    }
                    for c in name.chars() {
                        if matches!(c, '.' | '[' | '\\') {
                            f.write_str("\\")?;
                        }
                        write!(f, "{c}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Serialize for ArgumentPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        let member = |name: &str| Step::Member(name.into());
        for (text, steps) in [
            ("path", vec![member("path")]),
            ("paths[]", vec![member("paths"), Step::Each]),
            ("edits[].oldText", vec![member("edits"), Step::Each, member("oldText")]),
            ("grid[][].x.y", vec![member("grid"), Step::Each, Step::Each, member("x"), member("y")]),
            (r"a\.b\[\\c", vec![member(r"a.b[\c")]),
        ] {
            let parsed = ArgumentPath::parse(text).unwrap();
            assert_eq!(parsed.steps(), steps, "{text}");
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (text, error) in [
            ("", Error::Empty),
            ("a..b", Error::Empty),
            ("a.", Error::Empty),
            ("[]", Error::Empty),
            ("a[0]", Error::Index),
            ("a[", Error::Index),
            ("a[]b", Error::Joined),
            ("a\\", Error::Escape),
        ] {
            assert_eq!(ArgumentPath::parse(text), Err(error), "{text}");
        }
    }
}
