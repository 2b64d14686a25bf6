//! Queries: a plain scan of the files that can hold an answer. There is no index to corrupt.
//!
//! Days and sessions outside the time asked for are passed over by their names and their last lines; of the rest, a
//! line is parsed only when its raw bytes could match ([`filter::Filter::may_match`]). In memory is one line.

pub mod filter;
pub mod group;
pub mod moment;
pub mod record;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::audit::days::{self, Files};
use crate::audit::line::{Envelope, MAX_LINE};
use crate::audit::query::filter::{Filter, Flight};
use crate::audit::query::record::Record;
use crate::audit::read::{Line, Lines};
use crate::audit::stamp::Stamp;

/// Why a scan stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of the log, or of a day, cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// What was found could not be passed on.
    #[error("cannot write the answer: {0}")]
    Answer(#[from] io::Error),
}

/// Something in the log that is no answer and has to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Relative to the folder of the log.
    pub file: String,
    /// From 1.
    pub line: Option<u64>,
    /// In words.
    pub detail: String,
}

/// A line that matches.
#[derive(Debug)]
pub struct Match<'a> {
    /// The line as it stands, without its newline: JSON, in UTF-8.
    pub line: &'a str,
    /// What it says.
    pub record: Record<'a>,
}

/// What becomes of the answers.
pub trait Answer {
    /// Takes one match; [`ControlFlow::Break`] ends the scan.
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>>;

    /// Takes something that has to be known.
    fn note(&mut self, note: Note) -> io::Result<()>;
}

/// Passes every matching line to `answer`: sessions in the order of their starts, lines in the order of their numbers.
pub fn scan(dir: &Path, filter: &Filter, answer: &mut impl Answer) -> Result<(), Error> {
    let unreadable = |path: PathBuf| move |source| Error::Unreadable { path, source };
    for day in days::days(dir).map_err(unreadable(dir.to_owned()))?.ours {
        if filter.is_after(&day) {
            continue;
        }
        for files in days::sessions(dir, &day).map_err(unreadable(dir.join(&day)))?.ours {
            if !filter.takes_session(&files.session) || is_over_before(dir, &files, filter) {
                continue;
            }
            if session(dir, &files, filter, answer)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whether all of a session lies before the time asked for: by its last line, and by the time of its last write, in
/// case the clock was set back in between. What cannot be told is not passed over.
fn is_over_before(dir: &Path, files: &Files, filter: &Filter) -> bool {
    let Some(since) = filter.since.filter(|_| filter.begins_after(&files.day)) else { return false };
    let Some(file) = files.parts.last().and_then(|part| files.open(dir, *part).ok()) else { return false };
    let Ok(written) = file.metadata().and_then(|metadata| metadata.modified()) else { return false };
    Stamp::of(written).text() < since && last_time(file).is_some_and(|last| last < since)
}

/// The time of the last whole line, when it lies within the last 64 KiB.
fn last_time(mut file: File) -> Option<[u8; crate::audit::stamp::LENGTH]> {
    const END: u64 = 64 << 10;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
    let mut end = Vec::with_capacity(END as usize);
    file.take(END).read_to_end(&mut end).ok()?;
    let text = end.strip_suffix(b"\n")?;
    let begin = memchr::memrchr(b'\n', text)? + 1;
    Envelope::parse(&text[begin..])?.time.try_into().ok()
}

fn session(
    dir: &Path,
    files: &Files,
    filter: &Filter,
    answer: &mut impl Answer,
) -> io::Result<ControlFlow<()>> {
    let mut flight = Flight::default();
    for part in &files.parts {
        let name = files.name(*part);
        let file = match files.open(dir, *part) {
            Ok(file) => file,
            Err(error) => {
                answer.note(Note { file: name, line: None, detail: format!("cannot be read: {error}") })?;
                continue;
            }
        };
        if scan_file(file, &name, filter, &mut flight, answer)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn scan_file(
    file: File,
    name: &str,
    filter: &Filter,
    flight: &mut Flight,
    answer: &mut impl Answer,
) -> io::Result<ControlFlow<()>> {
    let mut lines = Lines::new(file, MAX_LINE);
    for number in 1.. {
        let note = |detail: String| Note { file: name.to_owned(), line: Some(number), detail };
        let line = match lines.next_line() {
            Ok(Some(Line::Whole(line))) => line,
            Ok(Some(Line::TooLong { bytes })) => {
                answer.note(note(format!("a line of {bytes} bytes was passed over")))?;
                continue;
            }
            Ok(Some(Line::Torn(_))) => {
                answer.note(note("the last line is torn: its writer was killed, or is writing".into()))?;
                continue;
            }
            Ok(None) => break,
            Err(error) => {
                answer.note(note(format!("cannot be read: {error}")))?;
                break;
            }
        };
        if has_our_shape(line) && !filter.may_match(line, flight) {
            continue;
        }
        let Some(found) = parse(line) else {
            answer.note(note("this line is not an event".into()))?;
            continue;
        };
        if filter.matches(&found.record, flight) && answer.take(&found)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Looked at before a line is passed over, so that garbage is told whatever is asked for.
fn has_our_shape(line: &[u8]) -> bool {
    line.starts_with(b"{\"v\":1,\"seq\":") && line.ends_with(b"\"}")
}

fn parse(line: &[u8]) -> Option<Match<'_>> {
    let line = std::str::from_utf8(line).ok()?;
    let record: Record<'_> = serde_json::from_str(line).ok()?;
    (record.v == 1).then_some(Match { line, record })
}

#[cfg(test)]
mod tests;
