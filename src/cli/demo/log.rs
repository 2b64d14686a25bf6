//! The log of the run in the pen, read back with the same scan that `audit query` uses.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

use crate::audit::query::filter::Filter;
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};

/// Lines of a log that are looked at; the demo writes far fewer.
const MOST_LINES: usize = 50_000;

/// Every line, in order.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Vec<String>,
    /// What is not in order.
    pub(super) notes: Vec<String>,
}

impl Log {
    /// Reads the log in `dir`, which holds one session.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(dir: &Path) -> Result<Log, query::Error> {
        let mut log = Log::default();
        query::scan(dir, &Filter::default(), &mut log)?;
        Ok(log)
    }

    #[cfg(test)]
    pub(super) fn of(lines: &[&str]) -> Log {
        Log { lines: lines.iter().map(|line| (*line).to_owned()).collect(), notes: Vec::new() }
    }

    /// The lines as they stand.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What they say.
    pub(super) fn records(&self) -> Vec<Record<'_>> {
        // The scan has parsed each of them once.
        self.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The first event of the session, with all its fields; null when there is none.
    pub(super) fn start(&self) -> Value {
        let first = self.lines.first().and_then(|line| serde_json::from_str::<Value>(line).ok());
        first.filter(|first| first["event"] == "session.start").unwrap_or_default()
    }
}

impl Answer for Log {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        self.lines.push(found.line.to_owned());
        Ok(if self.lines.len() < MOST_LINES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        self.notes.push(note.detail);
        Ok(())
    }
}

/// What lies between the start and the end of the call with this running number and tool; empty when they are not
/// both there.
pub(super) fn during<'a, 'b>(records: &'a [Record<'b>], call: u64, tool: &str) -> &'a [Record<'b>] {
    let at = |event: &str| {
        records.iter().position(|record| {
            &*record.event == event && record.call == Some(call) && record.tool.as_deref() == Some(tool)
        })
    };
    match (at("call.start"), at("call.end")) {
        (Some(start), Some(end)) => records.get(start + 1..end).unwrap_or_default(),
        _ => &[],
    }
}
