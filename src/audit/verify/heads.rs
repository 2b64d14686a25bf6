//! Reads `heads.jsonl`: its own chain, and what it says of each session.
//!
//! It can be read on from where it ended, because sessions that live meanwhile go on writing to it. What is kept is
//! about a hundred bytes for each of its lines.

use std::collections::HashMap;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::audit::chain::Digest;
use crate::audit::days::open_plain;
use crate::audit::heads::{self, Kind};
use crate::audit::read::{Line, Lines};
use crate::audit::verify::links::Links;
use crate::audit::verify::report::{Break, BreakKind};

/// What one line of `heads.jsonl` says of a session.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    /// Its number in `heads.jsonl`.
    pub(super) at: u64,
    /// Lines of the session's at that time.
    pub(super) lines: u64,
    /// The digest of the last.
    pub(super) last: Digest,
    /// Why it was written.
    pub(super) kind: Kind,
    /// The file that it was in, without its `.jsonl`.
    pub(super) file: Box<str>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    /// Only this session's lines are kept.
    only: Option<String>,
    /// A digest that one of the lines must have.
    expect: Option<Digest>,
    /// Whether one had it.
    pub(super) expected: bool,
    offset: u64,
    /// Whole lines.
    pub(super) lines: u64,
    links: Links,
    sessions: HashMap<String, Vec<Checkpoint>>,
    /// What is wrong with it, to be taken by the caller.
    pub(super) breaks: Vec<Break>,
    /// Its end has no newline.
    pub(super) torn: bool,
    /// Whether there is such a file.
    pub(super) exists: bool,
}

impl Ledger {
    pub(super) fn new(dir: &Path, only: Option<&str>, expect: Option<Digest>) -> Self {
        Ledger {
            path: dir.join(heads::FILE),
            only: only.map(str::to_owned),
            expect,
            expected: false,
            offset: 0,
            lines: 0,
            links: Links::new(),
            sessions: HashMap::new(),
            breaks: Vec::new(),
            torn: false,
            exists: false,
        }
    }

    /// Reads on to the end of the file as it is now.
    pub(super) fn read_on(&mut self) -> io::Result<()> {
        let mut file = match open_plain(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        self.exists = true;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut lines = Lines::new(file, heads::MAX_LINE);
        self.torn = false;
        while let Some(line) = lines.next_line()? {
            match line {
                Line::Whole(line) => {
                    self.offset += line.len() as u64 + 1;
                    self.take(line);
                }
                Line::TooLong { bytes } => {
                    self.offset += bytes + 1;
                    self.malformed();
                }
                Line::Torn(_) => self.torn = true,
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) {
        let digest = Digest::of(line);
        self.expected |= self.expect == Some(digest);
        let Some((head, prev)) = heads::parse(line) else { return self.malformed() };
        self.lines += 1;
        if let Some(blamed) = self.links.follow(self.lines, prev, digest) {
            self.blame(blamed);
        }
        if self.only.as_ref().is_none_or(|only| only == head.session) {
            let checkpoint = Checkpoint {
                at: self.lines,
                lines: head.lines,
                last: head.last,
                kind: head.kind,
                file: head.file.into(),
            };
            self.sessions.entry(head.session.to_owned()).or_default().push(checkpoint);
        }
    }

    fn malformed(&mut self) {
        self.lines += 1;
        let unsettled = self.links.jump(None);
        unsettled.into_iter().for_each(|line| self.blame(line));
        self.tell(self.lines, BreakKind::Malformed, "this is not a line of ours");
    }

    fn blame(&mut self, line: u64) {
        let detail = "the chain does not fit here: this line was changed, or lines next to it were removed";
        self.tell(line, BreakKind::Edited, detail);
    }

    fn tell(&mut self, line: u64, kind: BreakKind, detail: &str) {
        if !self.breaks.iter().any(|told| told.line == Some(line)) {
            let detail = detail.to_owned();
            self.breaks.push(Break { file: heads::FILE.into(), line: Some(line), seq: None, kind, detail });
        }
    }

    /// To be called when nothing more will be read: blames what nobody settled.
    pub(super) fn finish(&mut self) {
        let last = self.links.last();
        let unsettled = self.links.jump(last);
        unsettled.into_iter().for_each(|line| self.blame(line));
    }

    /// Digest of the last line.
    pub(super) fn last(&self) -> Digest {
        self.links.last().unwrap_or(Digest::EMPTY)
    }

    /// What is said of a session, oldest first; empty when nothing is.
    pub(super) fn of(&self, session: &str) -> &[Checkpoint] {
        self.sessions.get(session).map_or(&[], Vec::as_slice)
    }

    /// Takes a session out: what is left at the end has no file.
    pub(super) fn forget(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    /// Sessions that were not taken out, sorted.
    pub(super) fn left(&mut self) -> Vec<(String, Vec<Checkpoint>)> {
        let mut left: Vec<_> = std::mem::take(&mut self.sessions).into_iter().collect();
        left.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        left
    }
}
