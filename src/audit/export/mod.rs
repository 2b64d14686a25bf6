//! The log in the formats of others: OCSF, OTLP/JSON, CSV.
//!
//! Line by line: what is held is one line, and for OTLP what belongs to calls in flight, with caps whose overflow is
//! counted in the format's own field. Nothing is interpreted beyond the log's own words, and what a format has no place
//! for is carried along.

pub mod csv;
mod fields;
pub mod ocsf;
pub mod otlp;

use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::audit::condition::Condition;
use crate::audit::export::fields::Fields;
use crate::audit::query::{Answer, Match, Note};

/// One format.
pub trait Format {
    /// What stands before everything.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// One event.
    fn event(&mut self, event: &Fields, out: &mut dyn Write) -> io::Result<()>;

    /// The end of one session, of which this is known.
    fn session(&mut self, _condition: &Condition, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// What stands after everything.
    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Answers of a scan, written in a format.
pub struct Export<W> {
    format: Box<dyn Format>,
    out: W,
    /// Conditions of which something has to be said.
    pub conditions: Vec<Condition>,
    /// What readers met that is no event.
    pub notes: Vec<Note>,
}

impl<W: Write> Export<W> {
    /// Begins an export.
    pub fn new(format: Box<dyn Format>, out: W) -> io::Result<Self> {
        let mut export = Export { format, out, conditions: Vec::new(), notes: Vec::new() };
        export.format.begin(&mut export.out)?;
        Ok(export)
    }

    /// Hands on what is still held.
    pub fn finish(mut self) -> io::Result<(Vec<Condition>, Vec<Note>)> {
        self.format.end(&mut self.out)?;
        self.out.flush()?;
        Ok((self.conditions, self.notes))
    }
}

/// Conditions and notes that are kept.
const MOST_TOLD: usize = 1000;

impl<W: Write> Answer for Export<W> {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        self.format.event(&Fields::parse(found.line)?, &mut self.out)?;
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        if self.notes.len() < MOST_TOLD {
            self.notes.push(note);
        }
        Ok(())
    }

    fn session(&mut self, condition: Condition) -> io::Result<()> {
        self.format.session(&condition, &mut self.out)?;
        if !condition.is_whole() && self.conditions.len() < MOST_TOLD {
            self.conditions.push(condition);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
