//! What an HTML report shows: the events asked for, the frame of their sessions, and what has to be known first.
//!
//! The invariant: a report never looks more complete than its log. Whether a session was cut off, what was lost, what
//! was not enforced, what does not verify and what did not fit is part of it. Three scans, memory bounded by
//! [`selection::Selection`]: what was asked for; what frames it (`session.*`, `audit.*`, its calls); every chain.

pub mod page;
pub mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use crate::audit::condition::{Condition, Standing};
use crate::audit::query::filter::{Filter, Pattern};
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Error, Match, Note};
use crate::audit::report::selection::{Omitted, Selection};
use crate::audit::verify::report::{Break, SessionReport, Summary};
use crate::audit::verify::{self, Scope};
use crate::policy::reason::Reason;

/// Notes of readers that are told one by one.
const MAX_NOTES: usize = 50;
/// Sessions that a report tells apart.
const MAX_SESSIONS: usize = 10_000;

/// Everything that a page is made of.
#[derive(Debug)]
pub struct Report {
    /// Lines of the log, in the order of sessions and numbers.
    pub selection: Selection,
    /// How the sessions stand.
    pub sessions: Vec<Session>,
    /// What adds up over everything that was asked for, embedded or not.
    pub totals: Totals,
    /// What `verify` says of the whole; `Err`: why it could not be verified.
    pub verified: Result<Verified, String>,
    /// What readers met that is no event.
    pub notes: Vec<String>,
    /// Further notes.
    pub more_notes: u64,
}

/// One session of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// Its name.
    pub session: String,
    /// How it stands.
    pub standing: Standing,
    /// Whether its chain was verified.
    pub verified: bool,
    /// What does not verify.
    pub breaks: Vec<Break>,
    /// Further breaks.
    pub more_breaks: u64,
    /// What is not wrong, and has to be known: cut off, lost, degraded.
    pub notices: Vec<String>,
}

/// What `verify` says of `heads.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Whether nothing is wrong, in what was looked at.
    pub ok: bool,
    /// Digest of the last line of `heads.jsonl`.
    pub head: String,
    /// Its number.
    pub heads: u64,
    /// What is wrong with it.
    pub breaks: Vec<Break>,
}

/// Counts over everything that matched. Repeats that the log folded are counted as often as they happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Lines.
    pub events: u64,
    /// Calls begun.
    pub calls: u64,
    /// Files opened, listed or looked at for reading, with success.
    pub read: u64,
    /// Files changed, with success.
    pub written: u64,
    /// Programs executed.
    pub programs: u64,
    /// Connections made.
    pub connections: u64,
    /// Refusals.
    pub denied: u64,
    /// Of these, `syscall.unsupported`, which every program with threads meets and goes on from.
    pub usual: u64,
}

impl Totals {
    fn add(&mut self, record: &Record<'_>) {
        let times = record.count.unwrap_or(1);
        let worked = record.result.as_deref().is_none_or(|result| result == "ok");
        self.events += 1;
        if record.is_denied() && record.reason.as_deref() == Some(Reason::SyscallUnsupported.code()) {
            self.usual += times;
        }
        match (&*record.event, record.access.as_deref()) {
            _ if record.is_denied() => self.denied += times,
            ("call.start", _) => self.calls += 1,
            ("process.start", _) => self.programs += 1,
            ("network.connect", _) if worked => self.connections += times,
            ("file.access", Some("read" | "list")) if worked => self.read += times,
            ("file.access", Some("execute" | "metadata")) => {}
            ("file.access", Some(_)) if worked => self.written += times,
            _ => {}
        }
    }
}

/// Gathers the report of what `filter` asks for, with at most `limit` lines.
pub fn gather(dir: &Path, filter: &Filter, limit: usize) -> Result<Report, Error> {
    let mut asked = Asked::new(limit);
    query::scan(dir, filter, &mut asked)?;
    let mut frames = Frames { asked, seen: BTreeSet::new() };
    if !frames.asked.sessions.is_empty() {
        query::scan(dir, &frame_of(filter), &mut frames)?;
    }
    let mut asked = frames.asked;
    asked.selection.close();
    let (sessions, verified) = verify_all(dir, &asked.sessions, asked.conditions);
    Ok(Report {
        selection: asked.selection,
        sessions,
        totals: asked.totals,
        verified,
        notes: asked.notes,
        more_notes: asked.more_notes,
    })
}

/// Everything that may frame an answer to `filter`: of the same servers and sessions, at whatever time.
fn frame_of(filter: &Filter) -> Filter {
    let event =
        ["session.*", "audit.*", "call.*"].iter().filter_map(|glob| Pattern::name(glob).ok()).collect();
    Filter { session: filter.session.clone(), server: filter.server.clone(), event, ..Filter::default() }
}

/// The first scan: what was asked for.
struct Asked {
    selection: Selection,
    /// Sessions of the answer, and the calls that it speaks of.
    sessions: BTreeMap<String, BTreeSet<u64>>,
    conditions: Vec<Condition>,
    totals: Totals,
    notes: Vec<String>,
    more_notes: u64,
}

impl Asked {
    fn new(limit: usize) -> Self {
        Asked {
            selection: Selection::new(limit),
            sessions: BTreeMap::new(),
            conditions: Vec::new(),
            totals: Totals::default(),
            notes: Vec::new(),
            more_notes: 0,
        }
    }
}

impl Answer for Asked {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = &found.record()?;
        self.totals.add(record);
        if !self.sessions.contains_key(&*record.session) {
            if self.sessions.len() >= MAX_SESSIONS {
                self.selection.pass_over(record);
                return Ok(ControlFlow::Continue(()));
            }
            self.sessions.insert(record.session.to_string(), BTreeSet::new());
        }
        if self.selection.take(found, record)
            && let Some(calls) = self.sessions.get_mut(&*record.session)
        {
            calls.extend(record.calls());
        }
        Ok(ControlFlow::Continue(()))
    }

    fn session(&mut self, condition: Condition) -> io::Result<()> {
        if self.sessions.contains_key(&condition.session) {
            self.conditions.push(condition);
        }
        Ok(())
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        match self.notes.len() < MAX_NOTES {
            true => {
                let line = note.line.map(|line| format!(":{line}")).unwrap_or_default();
                self.notes.push(format!("{}{line}: {}", note.file, note.detail));
            }
            false => self.more_notes += 1,
        }
        Ok(())
    }
}

/// The second scan: the frame of what was found. Notes were taken by the first.
struct Frames {
    asked: Asked,
    seen: BTreeSet<String>,
}

impl Answer for Frames {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = &found.record()?;
        let Some(calls) = self.asked.sessions.get(&*record.session) else {
            // Sessions come in the order of their names: behind the last one that matters nothing does.
            let all = self.seen.len() == self.asked.sessions.len();
            return Ok(if all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
        };
        if !self.seen.contains(&*record.session) {
            self.seen.insert(record.session.to_string());
        }
        if record.call.is_none_or(|call| calls.contains(&call)) {
            self.asked.selection.frame(found, record);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Note) -> io::Result<()> {
        Ok(())
    }
}

fn verify_all(
    dir: &Path,
    asked: &BTreeMap<String, BTreeSet<u64>>,
    conditions: Vec<Condition>,
) -> (Vec<Session>, Result<Verified, String>) {
    let only = if asked.len() == 1 { asked.keys().next() } else { None };
    let scope = Scope { dir, session: only.map(String::as_str), expect: None };
    let mut sessions: BTreeMap<String, Session> =
        conditions.into_iter().map(|condition| (condition.session.clone(), session(condition))).collect();
    let summary = verify::verify(&scope, |report| {
        if let Some(session) = sessions.get_mut(&report.session) {
            add_breaks(session, report);
        }
        Ok(())
    });
    (sessions.into_values().collect(), summary.map(verified).map_err(|error| error.to_string()))
}

fn session(condition: Condition) -> Session {
    Session {
        standing: condition.standing,
        verified: false,
        notices: condition.notices(),
        session: condition.session,
        breaks: Vec::new(),
        more_breaks: 0,
    }
}

fn add_breaks(session: &mut Session, report: &SessionReport) {
    session.verified = true;
    session.breaks.extend_from_slice(&report.breaks);
    session.more_breaks += report.more_breaks;
}

fn verified(summary: Summary) -> Verified {
    Verified { ok: summary.ok, head: summary.head.to_string(), heads: summary.heads, breaks: summary.breaks }
}

impl Report {
    /// What was asked for and did not fit.
    pub fn omitted(&self) -> Omitted {
        self.selection.omitted()
    }
}

#[cfg(test)]
mod tests;
