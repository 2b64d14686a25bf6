//! An event read back, as far as filters and tables need it. Fields that an event does not have are `None`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

/// A string, borrowed from the line where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// See the module. The fields are those of `docs/AUDIT.md`.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the names are the log's")]
pub struct Record<'a> {
    pub v: u64,
    pub seq: u64,
    #[serde(borrow)]
    pub time: Text<'a>,
    pub session: Text<'a>,
    pub server: Text<'a>,
    pub event: Text<'a>,
    pub call: Option<u64>,
    #[serde(default, deserialize_with = "in_flight")]
    pub calls: Vec<u64>,
    pub tool: Option<Text<'a>>,
    pub method: Option<Text<'a>>,
    pub outcome: Option<Text<'a>>,
    pub path: Option<Text<'a>>,
    pub asked: Option<Text<'a>>,
    pub access: Option<Text<'a>>,
    pub host: Option<Text<'a>>,
    pub port: Option<u64>,
    pub address: Option<Text<'a>>,
    pub syscall: Option<Text<'a>>,
    pub verdict: Option<Text<'a>>,
    pub reason: Option<Text<'a>>,
    pub layer: Option<Text<'a>>,
    pub remedy: Option<Text<'a>>,
    pub why_not: Option<Text<'a>>,
    pub detail: Option<Text<'a>>,
    pub result: Option<Text<'a>>,
    pub exe: Option<Text<'a>>,
    pub command: Option<Text<'a>>,
    pub cause: Option<Text<'a>>,
    pub excerpt: Option<Text<'a>>,
    pub pid: Option<u64>,
    pub count: Option<u64>,
    pub duration_us: Option<u64>,
    pub evidence: Option<Text<'a>>,
    pub attribution: Option<Text<'a>>,
    pub errno: Option<Text<'a>>,
}

/// The calls in flight; the number that `session.end` has under the same name is not a list of calls.
fn in_flight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct Calls;
    impl<'de> Visitor<'de> for Calls {
        type Value = Vec<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of calls, or their number")
        }

        fn visit_u64<E>(self, _count: u64) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut calls = Vec::new();
            while let Some(call) = seq.next_element()? {
                calls.push(call);
            }
            Ok(calls)
        }
    }
    deserializer.deserialize_any(Calls)
}

impl Record<'_> {
    /// Whether something was refused; the same as [`crate::event::Event::is_denial`].
    pub fn is_denied(&self) -> bool {
        self.verdict.as_deref() == Some("deny") || matches!(&*self.event, "syscall.denied" | "message.denied")
    }

    /// The call that this is of, or the calls that were in flight.
    pub fn calls(&self) -> impl Iterator<Item = u64> {
        self.call.into_iter().chain(self.calls.iter().copied())
    }
}
