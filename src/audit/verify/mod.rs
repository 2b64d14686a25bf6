//! Verifies the log: every chain, every number, and every file against `heads.jsonl`.
//!
//! One pass over each file; in memory are one line and what `heads.jsonl` says. What it finds is what a change leaves
//! behind without the chain being computed anew; whoever computes all of it anew is found by a digest kept elsewhere
//! (`expect`) and by nothing else.

mod heads;
mod links;
pub mod report;
mod session;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::audit::chain::Digest;
use crate::audit::condition::Standing;
use crate::audit::days::{self, Files};
use crate::audit::heads::Kind;
use crate::audit::verify::heads::Ledger;
use crate::audit::verify::report::{Break, BreakKind, SessionReport, Summary};

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or `heads.jsonl` cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// There is no session of this name.
    #[error("there is no session {session} in {path}", path = path.display())]
    NoSuchSession {
        /// The name.
        session: String,
        /// The folder of the log.
        path: PathBuf,
    },
    /// The reports could not be passed on.
    #[error("cannot write the report: {0}")]
    Report(io::Error),
}

/// What to verify.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The folder of the log.
    pub dir: &'a Path,
    /// One session instead of all.
    pub session: Option<&'a str>,
    /// A digest that a line must have: of `heads.jsonl`, or of the session when one is named.
    pub expect: Option<Digest>,
}

/// Verifies, and passes each session's report on as soon as it is made.
pub fn verify(
    scope: &Scope<'_>,
    mut pass_on: impl FnMut(&SessionReport) -> io::Result<()>,
) -> Result<Summary, Error> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Unreadable { path, source }
    };
    let expect_head = scope.expect.filter(|_| scope.session.is_none());
    let mut ledger = Ledger::new(scope.dir, scope.session, expect_head);
    ledger.read_on().map_err(unreadable(&scope.dir.join(crate::audit::heads::FILE)))?;
    let mut total = Total::default();
    let mut seen = HashSet::new();
    let listing = days::days(scope.dir).map_err(unreadable(scope.dir))?;
    total.strays(listing.strays);
    for day in listing.ours {
        let sessions = days::sessions(scope.dir, &day).map_err(unreadable(&scope.dir.join(&day)))?;
        total.strays(sessions.strays);
        for files in
            sessions.ours.iter().filter(|files| scope.session.is_none_or(|only| only == files.session))
        {
            let expect = scope.expect.filter(|_| scope.session.is_some());
            let mut report = session::verify(scope.dir, files, &mut ledger, expect);
            if !seen.insert(files.session.clone()) {
                twice(files, &mut report);
            }
            total.add(&report);
            pass_on(&report).map_err(Error::Report)?;
        }
    }
    seen.iter().for_each(|session| ledger.forget(session));
    for (name, heads) in ledger.left() {
        let report = without_file(&name, &heads);
        if is_pruned(&heads) {
            total.pruned += 1;
            if scope.session.is_none() {
                continue;
            }
        }
        seen.insert(name);
        total.add(&report);
        pass_on(&report).map_err(Error::Report)?;
    }
    match scope.session {
        Some(session) if !seen.contains(session) => {
            Err(Error::NoSuchSession { session: session.to_owned(), path: scope.dir.to_owned() })
        }
        _ => Ok(total.close(ledger, expect_head)),
    }
}

fn twice(files: &Files, report: &mut SessionReport) {
    let detail = "the session has files in another day's folder too".to_owned();
    report.tell(Break { file: files.name(0), line: None, seq: None, kind: BreakKind::FileMisplaced, detail });
}

/// Whether the session was taken out on purpose, with all of its lines.
fn is_pruned(heads: &[heads::Checkpoint]) -> bool {
    let most = heads.iter().map(|head| head.lines).max();
    heads.last().is_some_and(|last| last.kind == Kind::Pruned && Some(last.lines) == most)
}

fn without_file(name: &str, heads: &[heads::Checkpoint]) -> SessionReport {
    let mut report = SessionReport::new(name);
    if let Some(pruned) = heads.last().filter(|_| is_pruned(heads)) {
        report.notes.push(format!(
            "taken out by `audit prune`, as line {} of heads.jsonl says; it had {} lines",
            pruned.at, pruned.lines
        ));
    } else if let Some(head) = heads.iter().max_by_key(|head| head.lines) {
        let detail = format!(
            "line {} of heads.jsonl recorded {} lines of it, and it is not there",
            head.at, head.lines
        );
        let file = head.file.to_string();
        report.tell(Break { file, line: None, seq: None, kind: BreakKind::FileMissing, detail });
    }
    report
}

/// What adds up over the sessions.
#[derive(Debug, Default)]
struct Total {
    sessions: u64,
    running: u64,
    pruned: u64,
    killed: u64,
    broken: u64,
    lines: u64,
    not_covered: u64,
    notes: Vec<String>,
}

impl Total {
    fn add(&mut self, report: &SessionReport) {
        self.sessions += 1;
        self.running += u64::from(report.standing == Standing::Running);
        self.killed += u64::from(report.standing == Standing::Killed);
        self.broken += u64::from(!report.breaks.is_empty());
        self.lines += report.lines;
        self.not_covered += report.lines.saturating_sub(report.covered);
    }

    fn strays(&mut self, strays: Vec<PathBuf>) {
        let told = strays.into_iter().map(|stray| format!("{} is not a file of the log", stray.display()));
        self.notes.extend(told);
    }

    fn close(mut self, mut ledger: Ledger, expect: Option<Digest>) -> Summary {
        ledger.finish();
        let mut breaks = std::mem::take(&mut ledger.breaks);
        let mut tell = |kind, detail: &str| {
            let (file, detail) = (crate::audit::heads::FILE.to_owned(), detail.to_owned());
            breaks.push(Break { file, line: None, seq: None, kind, detail });
        };
        if !ledger.exists && self.sessions > 0 {
            tell(BreakKind::FileMissing, "heads.jsonl is missing");
        }
        if expect.is_some() && !ledger.expected {
            tell(BreakKind::NotExpected, "no line has the digest that was expected");
        }
        if ledger.torn {
            self.notes.push("the last line of heads.jsonl is torn: its writer was killed".to_owned());
        }
        Summary {
            ok: self.broken == 0 && breaks.is_empty(),
            sessions: self.sessions,
            running: self.running,
            pruned: self.pruned,
            killed: self.killed,
            broken: self.broken,
            lines: self.lines,
            not_covered: self.not_covered,
            heads: ledger.lines,
            head: ledger.last(),
            breaks,
            notes: self.notes,
        }
    }
}

#[cfg(test)]
mod tests;
