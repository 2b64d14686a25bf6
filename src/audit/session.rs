//! One session: found by its name or the beginning of it, and its calls while its lines go by.
//!
//! Lines are read with [`crate::audit::query::scan_session`]; nothing here holds them. The name of a session tells when
//! it began, so a whole name is found without looking at the others.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audit::days::{self, Files};
use crate::audit::query::record::Record;
use crate::audit::segment::file_name;
use crate::audit::session_id::{began, is_session_id};
use crate::audit::stamp::Stamp;

/// Why there is not one session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of the log, or of a day.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// None begins like this.
    #[error("there is no session {asked} in {path}", path = path.display())]
    None {
        /// What was asked for.
        asked: String,
        /// The folder of the log.
        path: PathBuf,
    },
    /// Several begin like this.
    #[error("{count} sessions begin with {asked}: {}", first.join(", "))]
    Several {
        /// What was asked for.
        asked: String,
        /// How many.
        count: usize,
        /// The first of them.
        first: Vec<String>,
    },
    /// It is there, and has fewer lines.
    #[error("session {session} has no line {seq}")]
    Line {
        /// Its whole name.
        session: String,
        /// The number that was asked for.
        seq: u64,
    },
}

/// The one session whose name is, or begins with, `asked`.
pub fn find(dir: &Path, asked: &str) -> Result<Files, Error> {
    if let Some(files) = at_its_day(dir, asked) {
        return Ok(files);
    }
    let unreadable = |path: PathBuf| move |source| Error::Unreadable { path, source };
    let mut found = Vec::new();
    if !asked.is_empty() {
        for day in days::days(dir).map_err(unreadable(dir.to_owned()))?.ours {
            let sessions = days::sessions(dir, &day).map_err(unreadable(dir.join(&day)))?;
            found.extend(sessions.ours.into_iter().filter(|files| files.session.starts_with(asked)));
        }
    }
    let asked = asked.to_owned();
    match found.len() {
        0 => Err(Error::None { asked, path: dir.to_owned() }),
        1 => Ok(found.remove(0)),
        count => {
            const SHOWN: usize = 5;
            let first = found.into_iter().take(SHOWN).map(|files| files.session).collect();
            Err(Error::Several { asked, count, first })
        }
    }
}

/// A whole name's own day, or the one after: the name is made a moment before the folder.
fn at_its_day(dir: &Path, session: &str) -> Option<Files> {
    if !is_session_id(session.as_bytes()) {
        return None;
    }
    const DAY_MS: u64 = 86_400_000;
    let began = began(session)?;
    [began, began + DAY_MS].into_iter().find_map(|millis| {
        let day = Stamp::of_millis(millis).day();
        if !dir.join(&day).join(file_name(session, 0)).exists() {
            return None;
        }
        let exists = |part: &u32| dir.join(&day).join(file_name(session, *part)).exists();
        let parts = (0..).take_while(exists).collect();
        Some(Files { day, session: session.to_owned(), parts })
    })
}

/// A line and its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Its number.
    pub seq: u64,
    /// Its stamp.
    pub time: String,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Its running number.
    pub call: u64,
    /// The tool, or what else was called.
    pub tool: String,
    /// Its `call.start`; `None` when that is not in the log.
    pub start: Option<Point>,
    /// Its `call.end`; `None` when it never came.
    pub end: Option<Point>,
    /// How it ended.
    pub outcome: Option<String>,
    /// From start to end.
    pub duration_us: Option<u64>,
    /// What was refused while it was in flight: their number.
    pub denied: u64,
    /// The numbers of the lines that name it, in order, its own start and end aside. With several calls in flight a
    /// line names all of them: it belongs to one of these, or to none.
    pub inside: Vec<u64>,
}

/// The calls of one session, collected line by line.
#[derive(Debug, Default)]
pub struct Calls {
    calls: Vec<Call>,
}

impl Calls {
    /// Takes the next line.
    pub fn take(&mut self, record: &Record<'_>) {
        let point = || Point { seq: record.seq, time: record.time.to_string() };
        match (&*record.event, record.call) {
            ("call.start", Some(call)) => self.at(call, record).start = Some(point()),
            ("call.end", Some(call)) => {
                let at = self.at(call, record);
                at.end = Some(point());
                at.outcome = record.outcome.as_deref().map(str::to_owned);
                at.duration_us = record.duration_us;
            }
            _ => {
                let denied = if record.is_denied() { record.count.unwrap_or(1) } else { 0 };
                for call in record.calls() {
                    // A call that never started is a mistake of the log's, not a call.
                    if let Some(at) = self.calls.iter_mut().rev().find(|at| at.call == call) {
                        at.inside.push(record.seq);
                        at.denied = at.denied.saturating_add(denied);
                    }
                }
            }
        }
    }

    fn at(&mut self, call: u64, record: &Record<'_>) -> &mut Call {
        let at = self.calls.iter().rposition(|at| at.call == call).unwrap_or_else(|| {
            let tool = record.tool.as_deref().or(record.method.as_deref()).unwrap_or_default().to_owned();
            let (start, end, outcome) = (None, None, None);
            let inside = Vec::new();
            self.calls.push(Call { call, tool, start, end, outcome, duration_us: None, denied: 0, inside });
            self.calls.len() - 1
        });
        &mut self.calls[at]
    }

    /// All of them, in the order of their starts.
    pub fn finish(self) -> Vec<Call> {
        self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{session, settings};

    #[test]
    fn a_session_is_found_by_its_name_and_by_its_beginning() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (settings(root.path()), settings(root.path()));
        session(&one, &[]);
        session(&two, &[]);
        let whole = find(&one.dir, &one.session).unwrap();
        assert_eq!((&whole.session, &whole.parts[..]), (&one.session, &[0][..]));
        assert_eq!(find(&one.dir, &one.session[..20]).unwrap(), whole);
        assert!(matches!(find(&one.dir, &one.session[..3]), Err(Error::Several { count: 2, .. })));
        for unknown in ["", "Z", "01JDXZ0000000000000000000A", "../../x"] {
            assert!(matches!(find(&one.dir, unknown), Err(Error::None { .. })), "{unknown}");
        }
        // Moved to another day's folder, it is still found.
        let day = std::fs::read_dir(&one.dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.is_dir());
        std::fs::rename(day.unwrap(), one.dir.join("2020-01-01")).unwrap();
        assert_eq!(find(&one.dir, &one.session).unwrap().day, "2020-01-01");
    }

    #[test]
    fn calls_know_what_happened_inside() {
        let mut calls = Calls::default();
        let time = "2026-11-23T16:20:00.123456Z";
        for (seq, fields) in [
            r#""event":"call.start","call":1,"tool":"a""#,
            r#""event":"call.start","call":2,"tool":"b""#,
            r#""event":"file.access","calls":[1,2],"verdict":"deny","count":3"#,
            r#""event":"call.end","call":1,"tool":"a","outcome":"ok","duration_us":5"#,
            r#""event":"file.access","calls":[2],"verdict":"allow""#,
            r#""event":"file.access","calls":[9],"verdict":"allow""#,
        ]
        .iter()
        .enumerate()
        {
            let line = format!(
                r#"{{"v":1,"seq":{},"time":"{time}","session":"S","server":"s",{fields},"prev":""}}"#,
                seq + 1
            );
            calls.take(&serde_json::from_str(&line).unwrap());
        }
        let calls = calls.finish();
        assert_eq!(calls.len(), 2);
        assert_eq!((&calls[0].inside[..], calls[0].denied, calls[0].duration_us), (&[3][..], 3, Some(5)));
        assert_eq!((&calls[1].inside[..], calls[1].outcome.as_deref()), (&[3, 5][..], None));
    }
}
