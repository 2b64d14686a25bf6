//! The fields of one line, by name. A field that is not there, or is of another kind than its name says, is `None`.

use std::io;

use serde_json::{Map, Value};

use crate::audit::stamp::nanos;

/// Members of every line; the rest is the event's own.
const ENVELOPE: &[&str] = &["v", "seq", "time", "session", "server", "event", "prev"];

/// See the module.
#[derive(Debug, Clone)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a line.
    pub fn parse(line: &str) -> io::Result<Self> {
        Ok(Fields(serde_json::from_str(line)?))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// The name of the event.
    pub(super) fn event(&self) -> &str {
        self.text("event").unwrap_or_default()
    }

    pub(super) fn session(&self) -> &str {
        self.text("session").unwrap_or_default()
    }

    pub(super) fn server(&self) -> &str {
        self.text("server").unwrap_or_default()
    }

    pub(super) fn seq(&self) -> u64 {
        self.number("seq").unwrap_or_default()
    }

    /// `<session>:<seq>`.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.session(), self.seq())
    }

    /// Nanoseconds since 1970; 0 where the time cannot be read.
    pub(super) fn nanos(&self) -> u64 {
        self.text("time").and_then(nanos).unwrap_or_default()
    }

    pub(super) fn is_denied(&self) -> bool {
        self.text("verdict") == Some("deny") || matches!(self.event(), "syscall.denied" | "message.denied")
    }

    /// The calls in flight.
    pub(super) fn calls(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.0.get("calls").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64)
    }

    /// The event's own fields.
    pub(super) fn own(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.0.iter().filter(|(_, value)| !value.is_null());
        all.map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| !ENVELOPE.contains(name))
    }
}
