//! One line of one session, by its number, and the calls that it names.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value};

use crate::audit::days::Files;
use crate::audit::query::filter::Filter;
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};

/// The line that was asked for, and the calls around it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) line: String,
    /// `call.start` of each call that the line names.
    pub(super) calls: Vec<Map<String, Value>>,
}

impl Found {
    /// Looks for line `seq`; `None` when the session has no such line.
    pub(super) fn of(dir: &Path, files: &Files, seq: u64) -> io::Result<Option<Found>> {
        struct Search {
            seq: u64,
            open: Vec<(u64, String)>,
            found: Option<Found>,
        }
        impl Answer for Search {
            fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
                let record = found.record()?;
                if record.seq == self.seq && self.found.is_none() {
                    let calls: Vec<u64> = record.calls().collect();
                    let named = self.open.iter().filter(|(call, _)| calls.contains(call));
                    let calls =
                        named.map(|(_, line)| serde_json::from_str(line)).collect::<Result<_, _>>()?;
                    self.found = Some(Found { line: found.line.to_owned(), calls });
                    return Ok(ControlFlow::Break(()));
                }
                match (&*record.event, record.call) {
                    ("call.start", Some(call)) => self.open.push((call, found.line.to_owned())),
                    ("call.end", Some(call)) => self.open.retain(|(open, _)| *open != call),
                    _ => {}
                }
                Ok(ControlFlow::Continue(()))
            }

            fn note(&mut self, _: Note) -> io::Result<()> {
                Ok(())
            }
        }
        let mut search = Search { seq, open: Vec::new(), found: None };
        let _ = query::scan_session(dir, files, &Filter::default(), &mut search)?;
        Ok(search.found)
    }

    pub(super) fn record(&self) -> io::Result<Record<'_>> {
        serde_json::from_str(&self.line).map_err(io::Error::from)
    }
}
