//! Queries: a plain scan of the files that can hold an answer. There is no index to corrupt.
//!
//! Days and sessions outside the time asked for are passed over by their names and their last lines; of the rest, a
//! line is parsed only when its raw bytes could match ([`filter::Filter::may_match`]). Memory is bounded whatever the
//! size of the log and of the answer.

mod crew;
pub mod filter;
pub mod group;
pub mod moment;
mod reader;
pub mod record;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::audit::condition::Condition;
use crate::audit::days::{self, Files};
use crate::audit::line::Envelope;
use crate::audit::query::filter::Filter;
use crate::audit::query::moment::Moment;
use crate::audit::query::record::Record;
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
}

impl<'a> Match<'a> {
    /// What it says.
    ///
    /// # Errors
    /// None for a line that a scan passed on: it was read before.
    pub fn record(&self) -> io::Result<Record<'a>> {
        serde_json::from_str(self.line).map_err(io::Error::from)
    }
}

/// What becomes of the answers.
pub trait Answer {
    /// Takes one match; [`ControlFlow::Break`] ends the scan.
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>>;

    /// Takes something that has to be known.
    fn note(&mut self, note: Note) -> io::Result<()>;

    /// Takes in what condition a session's record is, after its last match.
    fn session(&mut self, condition: Condition) -> io::Result<()> {
        let _ = condition;
        Ok(())
    }
}

/// Passes every matching line to `answer`: sessions in the order of their starts, lines in the order of their numbers.
/// Sessions are read side by side on all cores, and what they hold back meanwhile is bounded.
pub fn scan(dir: &Path, filter: &Filter, answer: &mut impl Answer) -> Result<(), Error> {
    let sessions = sessions(dir, filter)?;
    crew::scan(dir, &sessions, filter, answer).map_err(Error::Answer)
}

/// The sessions that can hold an answer, in the order of their starts.
pub fn sessions(dir: &Path, filter: &Filter) -> Result<Vec<Files>, Error> {
    let unreadable = |path: PathBuf| move |source| Error::Unreadable { path, source };
    let mut sessions = Vec::new();
    for day in days::days(dir).map_err(unreadable(dir.to_owned()))?.ours {
        if filter.is_after(&day) {
            continue;
        }
        let of_day = days::sessions(dir, &day).map_err(unreadable(dir.join(&day)))?.ours;
        let since = filter.since.filter(|_| filter.begins_after(&day));
        let goes_on = |files: &Files| since.is_none_or(|since| !is_over_before(dir, files, &since));
        let asked = of_day.into_iter().filter(|files| filter.takes(&files.session) && goes_on(files));
        sessions.extend(asked);
    }
    Ok(sessions)
}

/// Passes the matching lines of one session to `answer`, and the session's condition.
pub fn scan_session(
    dir: &Path,
    files: &Files,
    filter: &Filter,
    answer: &mut impl Answer,
) -> io::Result<ControlFlow<()>> {
    reader::Reader::default().session(dir, files, filter, answer)
}

/// Whether all of a session lies before the time asked for: by its last line, and by the time of its last write, in
/// case the clock was set back in between. What cannot be told is not passed over.
pub fn is_over_before(dir: &Path, files: &Files, since: &Moment) -> bool {
    let Some(file) = files.parts.last().and_then(|part| files.open(dir, *part).ok()) else { return false };
    let Ok(written) = file.metadata().and_then(|metadata| metadata.modified()) else { return false };
    Stamp::of(written).text() < *since && last_time(file).is_some_and(|last| last < *since)
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

#[cfg(test)]
mod tests;
