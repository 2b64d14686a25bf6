//! One session at a glance: how it began, how it ended, and in what condition its record is. Stands at the top of
//! every report of one session.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::audit::condition::Condition;
use crate::audit::count::counted;
use crate::audit::days::Files;
use crate::audit::query::filter::{Filter, Pattern};
use crate::audit::query::{self, Answer, Match, Note};
use crate::cli::audit::notices::note;
use crate::cli::audit::what;
use crate::cli::term::escape::escape;
use crate::cli::term::{Style, Terminal};

/// See the module.
#[derive(Debug)]
pub(super) struct Overview {
    session: String,
    /// `session.start`; empty when it is not in the log.
    pub(super) start: Map<String, Value>,
    /// `session.end`.
    pub(super) end: Option<Map<String, Value>>,
    pub(super) condition: Option<Condition>,
    /// What a reader met that is no event.
    notes: Vec<Note>,
}

impl Overview {
    /// Reads it.
    ///
    /// # Errors
    /// A line of the session cannot be read.
    pub(super) fn of(dir: &Path, files: &Files) -> io::Result<Overview> {
        let names = ["session.start", "session.end"].map(Pattern::name);
        let event = names.into_iter().collect::<Result<_, _>>().map_err(io::Error::other)?;
        let filter = Filter { event, ..Filter::default() };
        let (session, start, notes) = (files.session.clone(), Map::new(), Vec::new());
        let mut overview = Overview { session, start, end: None, condition: None, notes };
        let _ = query::scan_session(dir, files, &filter, &mut overview)?;
        Ok(overview)
    }

    /// A text of `session.start`; empty when there is none.
    pub(super) fn text(&self, field: &str) -> &str {
        self.start.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The same for `--json`: what began it, what ended it, and what is not whole.
    pub(super) fn json(&self) -> Value {
        let notes = self.notes.iter();
        let notes: Vec<Value> =
            notes.map(|note| json!({"file": note.file, "line": note.line, "detail": note.detail})).collect();
        json!({
            "session": self.session,
            "server": self.text("server"),
            "start": self.start,
            "end": self.end,
            "condition": self.condition,
            "notes": notes,
        })
    }

    /// Writes it: one line for the session, one for each thing that has to be known first.
    pub(super) fn write(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        let started = what::local(self.text("time"), &TimeZone::system());
        let line = format!("session {}  {}  {started}", self.session, self.text("server"));
        writeln!(out, "{}", terminal.paint(Style::Bold, &escape(&line)))?;
        self.say("command", self.text("command"), terminal, out)?;
        let client = self.text("client");
        let profile = format!("{} ({})", self.text("profile"), self.text("env"));
        let by = if client.is_empty() { String::new() } else { format!(", started by {client}") };
        self.say("profile", &format!("{profile}{by}"), terminal, out)?;
        self.say("ended", &self.ending(), terminal, out)?;
        for told in self.condition.iter().flat_map(Condition::notices) {
            note(&told, terminal, out)?;
        }
        for Note { file, line, detail } in &self.notes {
            let place = line.map(|line| format!(":{line}")).unwrap_or_default();
            note(&format!("{file}{place}: {detail}"), terminal, out)?;
        }
        Ok(())
    }

    fn say(&self, name: &str, value: &str, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        writeln!(out, "  {}  {}", terminal.paint(Style::Dim, &format!("{name:<7}")), escape(value))
    }

    fn ending(&self) -> String {
        let Some(end) = &self.end else { return String::new() };
        let number = |field: &str| end.get(field).and_then(Value::as_u64).unwrap_or_default();
        let status = match &end["status"] {
            Value::Object(status) => status.iter().map(|(kind, code)| format!(", {kind} {code}")).collect(),
            _ => String::new(),
        };
        let cause = end.get("cause").and_then(Value::as_str).unwrap_or("?");
        let (calls, denied) = (number("calls"), number("denied"));
        let took = what::duration(number("duration_us"));
        format!("{cause}{status}, after {took}; {}, {}", counted(calls, "call"), counted(denied, "refusal"))
    }
}

impl Answer for Overview {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let event: Map<String, Value> = serde_json::from_str(found.line)?;
        match event.get("event").and_then(Value::as_str) {
            Some("session.start") if self.start.is_empty() => self.start = event,
            Some("session.end") => self.end = Some(event),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        // A torn end is told by the condition; garbage may be any number of lines.
        const MOST: usize = 20;
        let is_torn = note.detail.starts_with("the last line is torn");
        if !is_torn && self.notes.len() < MOST {
            self.notes.push(note);
        }
        Ok(())
    }

    fn session(&mut self, condition: Condition) -> io::Result<()> {
        self.condition = Some(condition);
        Ok(())
    }
}
