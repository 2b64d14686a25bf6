//! What a verification finds, as values: the table and `--json` show the same.

use serde::Serialize;

use crate::audit::chain::Digest;
use crate::audit::condition::Standing;

/// What is wrong. The names are stable; `docs/AUDIT.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakKind {
    /// A line was changed.
    Edited,
    /// Not a line of ours.
    Malformed,
    /// Lines are missing before this one.
    LinesMissing,
    /// A line stands here again, or elsewhere than it was written.
    LineMisplaced,
    /// The line belongs to another session.
    ForeignLine,
    /// `heads.jsonl` recorded more lines than there are.
    Truncated,
    /// `heads.jsonl` recorded another digest for this line: it was changed, or all before it was written anew.
    HeadMismatch,
    /// Lines follow `session.end`.
    AfterEnd,
    /// One of the session's files is missing.
    FileMissing,
    /// The file lies elsewhere than where it was written, or twice.
    FileMisplaced,
    /// `heads.jsonl` knows nothing of the session.
    NotInHeads,
    /// The session ended in order, and `heads.jsonl` does not say so.
    EndNotInHeads,
    /// It cannot be read.
    Unreadable,
    /// No line has the digest that was expected.
    NotExpected,
}

/// One break, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// Relative to the folder of the log.
    pub file: String,
    /// From 1, in that file.
    pub line: Option<u64>,
    /// The event's number, as far as it is known.
    pub seq: Option<u64>,
    /// What is wrong.
    pub kind: BreakKind,
    /// In words. May quote the log.
    pub detail: String,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionReport {
    /// Its name.
    pub session: String,
    /// Its server's.
    pub server: Option<String>,
    /// The time of its first line.
    pub started: Option<String>,
    /// Its files, relative to the folder of the log.
    pub files: Vec<String>,
    /// Whole lines.
    pub lines: u64,
    /// Up to which line `heads.jsonl` vouches for them.
    pub covered: u64,
    /// Digest of the last of them; of nothing where there is none.
    pub last: String,
    /// How it stands.
    pub standing: Standing,
    /// What is wrong, at most [`SessionReport::MAX_BREAKS`] of it.
    pub breaks: Vec<Break>,
    /// Further breaks.
    pub more_breaks: u64,
    /// What is not wrong, and has to be known.
    pub notes: Vec<String>,
}

impl SessionReport {
    /// Breaks that are told one by one.
    pub const MAX_BREAKS: usize = 50;

    pub(super) fn new(session: &str) -> Self {
        SessionReport {
            session: session.to_owned(),
            server: None,
            started: None,
            files: Vec::new(),
            lines: 0,
            covered: 0,
            last: Digest::EMPTY.to_string(),
            standing: Standing::Killed,
            breaks: Vec::new(),
            more_breaks: 0,
            notes: Vec::new(),
        }
    }

    /// Adds a break, one for each line.
    pub(super) fn tell(&mut self, found: Break) {
        let again =
            |told: &Break| told.line.is_some() && (&told.file, told.line) == (&found.file, found.line);
        if self.breaks.iter().any(again) {
            return;
        }
        match self.breaks.len() < Self::MAX_BREAKS {
            true => self.breaks.push(found),
            false => self.more_breaks += 1,
        }
    }
}

/// Everything together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Sessions.
    pub sessions: u64,
    /// Of these, running.
    pub running: u64,
    /// Sessions that were taken out by `audit prune`; not counted above.
    pub pruned: u64,
    /// Of these, ended without `session.end`.
    pub killed: u64,
    /// Of these, with breaks.
    pub broken: u64,
    /// Lines of all sessions.
    pub lines: u64,
    /// Lines that `heads.jsonl` does not vouch for.
    pub not_covered: u64,
    /// Lines of `heads.jsonl`.
    pub heads: u64,
    /// Digest of its last line: keep it elsewhere, and give it to `--expect`.
    #[serde(serialize_with = "as_text")]
    pub head: Digest,
    /// What is wrong with `heads.jsonl`, and with what was expected.
    pub breaks: Vec<Break>,
    /// What is not wrong, and has to be known.
    pub notes: Vec<String>,
}

fn as_text<S: serde::Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}
