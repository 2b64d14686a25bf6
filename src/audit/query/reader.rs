//! Reads one session's files and passes on what matches.
//!
//! Every line is looked at, also where nothing matches: garbage, a torn end and what was lost are told whatever was
//! asked for.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use crate::audit::condition::{Watch, event_of};
use crate::audit::days::Files;
use crate::audit::line::MAX_LINE;
use crate::audit::query::filter::{Filter, Flight};
use crate::audit::query::record::Record;
use crate::audit::query::{Answer, Match, Note};
use crate::audit::read::{Line, Lines};

/// Reads sessions one after the other, with one buffer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
}

/// Where a line stands.
struct Place<'a> {
    file: &'a str,
    line: u64,
}

impl Place<'_> {
    fn note(&self, detail: impl Into<String>) -> Note {
        Note { file: self.file.to_owned(), line: Some(self.line), detail: detail.into() }
    }
}

impl Reader {
    /// See [`super::scan_session`].
    pub(super) fn session(
        &mut self,
        dir: &Path,
        files: &Files,
        filter: &Filter,
        answer: &mut impl Answer,
    ) -> io::Result<ControlFlow<()>> {
        let (mut flight, mut watch) = (Flight::default(), Watch::default());
        let mut last = None;
        for part in &files.parts {
            let name = files.name(*part);
            match files.open(dir, *part) {
                Ok(file) => {
                    let flow = self.file(&file, &name, filter, (&mut flight, &mut watch), answer)?;
                    last = Some(file);
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
                Err(error) => {
                    let detail = format!("cannot be read: {error}");
                    answer.note(Note { file: name, line: None, detail })?;
                }
            }
        }
        answer.session(watch.finish(&files.session, last.as_ref()))?;
        Ok(ControlFlow::Continue(()))
    }

    fn file(
        &mut self,
        file: &File,
        name: &str,
        filter: &Filter,
        (flight, watch): (&mut Flight, &mut Watch),
        answer: &mut impl Answer,
    ) -> io::Result<ControlFlow<()>> {
        let mut lines = Lines::reusing(std::mem::take(&mut self.buffer), file, MAX_LINE);
        let mut place = Place { file: name, line: 0 };
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            place.line += 1;
            match lines.next_line() {
                Ok(None) => break,
                Ok(Some(Line::Whole(line))) => flow = take(line, &place, filter, (flight, watch), answer)?,
                Ok(Some(Line::TooLong { bytes })) => {
                    answer.note(place.note(format!("a line of {bytes} bytes was passed over")))?;
                }
                Ok(Some(Line::Torn(_))) => {
                    watch.torn();
                    let torn = "the last line is torn: its writer was killed, or is writing";
                    answer.note(place.note(torn))?;
                }
                Err(error) => {
                    answer.note(place.note(format!("cannot be read: {error}")))?;
                    break;
                }
            }
        }
        self.buffer = lines.into_buffer();
        Ok(flow)
    }
}

fn take(
    line: &[u8],
    place: &Place<'_>,
    filter: &Filter,
    (flight, watch): (&mut Flight, &mut Watch),
    answer: &mut impl Answer,
) -> io::Result<ControlFlow<()>> {
    if has_our_shape(line) {
        let event = event_of(line);
        watch.take(event, line);
        if !filter.may_match(line, event, flight) {
            return Ok(ControlFlow::Continue(()));
        }
    }
    let Some((found, record)) = parse(line) else {
        answer.note(place.note("this line is not an event"))?;
        return Ok(ControlFlow::Continue(()));
    };
    if filter.matches(&record, flight) { answer.take(&found) } else { Ok(ControlFlow::Continue(())) }
}

/// Looked at before a line is passed over, so that garbage is told whatever is asked for.
pub(super) fn has_our_shape(line: &[u8]) -> bool {
    line.starts_with(b"{\"v\":1,\"seq\":") && line.ends_with(b"\"}")
}

pub(super) fn parse(line: &[u8]) -> Option<(Match<'_>, Record<'_>)> {
    let line = std::str::from_utf8(line).ok()?;
    let record: Record<'_> = serde_json::from_str(line).ok()?;
    (record.v == 1).then_some((Match { line }, record))
}
