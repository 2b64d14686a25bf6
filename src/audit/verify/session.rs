//! Verifies one session: its chain over all its files, its numbers, and what `heads.jsonl` says of it.
//!
//! One pass, one line in memory. After a break it goes on where the numbers go on, so that one change is told once and
//! a second one is still found.

use std::path::Path;

use crate::audit::chain::Digest;
use crate::audit::condition::{Standing, is_held};
use crate::audit::days::Files;
use crate::audit::heads::Kind;
use crate::audit::line::{Envelope, MAX_LINE};
use crate::audit::read::{Line, Lines};
use crate::audit::segment::file_name;
use crate::audit::verify::heads::{Checkpoint, Ledger};
use crate::audit::verify::links::Links;
use crate::audit::verify::report::{Break, BreakKind, SessionReport};

/// What reading a session found, as far as its own files tell.
#[derive(Debug)]
pub(super) struct Check<'a> {
    files: &'a Files,
    checkpoints: std::iter::Peekable<std::slice::Iter<'a, Checkpoint>>,
    report: SessionReport,
    links: Links,
    /// The number that the next line should have; `None` after a line that cannot be read.
    expected: Option<u64>,
    /// Of the last line in its place.
    seq: u64,
    /// Lines read, over all files.
    line: u64,
    /// The first line, in this count, of each file.
    begins: Vec<(u32, u64)>,
    /// The number of `session.end`.
    end: Option<u64>,
    torn: bool,
    expect: Option<Digest>,
    met: bool,
}

/// Verifies one session. `expect` is a digest that one of its lines must have.
pub(super) fn verify(
    dir: &Path,
    files: &Files,
    ledger: &mut Ledger,
    expect: Option<Digest>,
) -> SessionReport {
    // Asked before reading: what is not running now has written its last line, and its last head.
    let running =
        files.parts.last().is_some_and(|part| files.open(dir, *part).is_ok_and(|file| is_held(&file)));
    let mut found = read(dir, files, ledger.of(&files.session), expect, running);
    if !running && found.breaks.iter().any(|told| is_about_heads(told.kind)) {
        // It may have ended after `heads.jsonl` was read.
        let before = ledger.lines;
        if ledger.read_on().is_ok() && ledger.lines > before {
            found = read(dir, files, ledger.of(&files.session), expect, running);
        }
    }
    found
}

fn is_about_heads(kind: BreakKind) -> bool {
    matches!(kind, BreakKind::NotInHeads | BreakKind::EndNotInHeads)
}

fn read(
    dir: &Path,
    files: &Files,
    heads: &[Checkpoint],
    expect: Option<Digest>,
    running: bool,
) -> SessionReport {
    let mut check = Check::new(files, heads, expect);
    for (at, part) in files.parts.iter().enumerate() {
        check.begins.push((*part, check.line + 1));
        check.report.files.push(files.name(*part));
        if at as u64 != u64::from(*part) {
            let missing = format!("the file before {} is missing", files.name(*part));
            check.tell_file(*part, BreakKind::FileMissing, missing);
            check.resume_anywhere();
        }
        if let Err(error) = check.part(dir, *part, at + 1 == files.parts.len()) {
            check.tell_file(*part, BreakKind::Unreadable, error.to_string());
            check.resume_anywhere();
        }
    }
    check.finish(heads, running)
}

impl<'a> Check<'a> {
    fn new(files: &'a Files, heads: &'a [Checkpoint], expect: Option<Digest>) -> Self {
        Check {
            files,
            checkpoints: heads.iter().peekable(),
            report: SessionReport::new(&files.session),
            links: Links::new(),
            expected: Some(1),
            seq: 0,
            line: 0,
            begins: Vec::new(),
            end: None,
            torn: false,
            expect,
            met: false,
        }
    }

    fn part(&mut self, dir: &Path, part: u32, is_last: bool) -> std::io::Result<()> {
        let mut lines = Lines::new(self.files.open(dir, part)?, MAX_LINE);
        while let Some(line) = lines.next_line()? {
            match line {
                Line::Whole(line) => self.line(line, part),
                Line::TooLong { bytes } => self.malformed(format!("a line of {bytes} bytes is not ours")),
                Line::Torn(_) if is_last => self.torn = true,
                Line::Torn(_) => self.malformed("the last line is torn, though another file follows".into()),
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], part: u32) {
        let digest = Digest::of(line);
        self.met |= self.expect == Some(digest);
        let Some(envelope) = Envelope::parse(line) else {
            return self.malformed("this is not a line of ours".into());
        };
        self.line += 1;
        if self.line == 1 {
            self.report.started = Some(String::from_utf8_lossy(envelope.time).into_owned());
            self.report.server = serde_json::from_str(&format!("\"{}\"", envelope.server)).ok();
        }
        if envelope.session != self.files.session {
            let detail = format!("this line belongs to session {}", envelope.session);
            self.tell(self.line, Some(envelope.seq), BreakKind::ForeignLine, detail);
        }
        if !self.place(&envelope, digest) {
            return;
        }
        if self.end.is_some() {
            self.tell(self.line, Some(self.seq), BreakKind::AfterEnd, "a line follows session.end".into());
        }
        if envelope.event == "session.end" {
            self.end = Some(self.seq);
        }
        self.compare_with_heads(digest, part);
    }

    /// Finds the line's place in the chain; `false` when it has none.
    fn place(&mut self, envelope: &Envelope<'_>, digest: Digest) -> bool {
        let expected = self.expected.unwrap_or(envelope.seq);
        let seq = envelope.seq;
        if seq == expected || self.links.fits(envelope.prev) {
            if seq != expected {
                let detail = format!("its number reads {seq} and should be {expected}");
                self.tell(self.line, Some(expected), BreakKind::Edited, detail);
            }
            self.seq = expected;
            self.expected = Some(expected + 1);
            let blamed = self.links.follow(self.line, envelope.prev, digest);
            self.blame(blamed);
            return true;
        }
        if seq > expected {
            let detail = format!("lines {expected} to {} are missing before this one", seq - 1);
            let unsettled = self.links.jump(Some(digest));
            self.blame(unsettled);
            self.tell(self.line, Some(seq), BreakKind::LinesMissing, detail);
            self.seq = seq;
            self.expected = Some(seq.saturating_add(1));
            return true;
        }
        let detail = format!("number {seq} stands where {expected} should");
        let unsettled = self.links.jump(None);
        self.blame(unsettled);
        self.tell(self.line, Some(seq), BreakKind::LineMisplaced, detail);
        false
    }

    fn compare_with_heads(&mut self, digest: Digest, part: u32) {
        // Heads of lines that are missing; the gap is told already.
        while self.checkpoints.next_if(|head| head.lines < self.seq).is_some() {}
        while let Some(head) = self.checkpoints.next_if(|head| head.lines == self.seq) {
            let genuine = head.last == digest;
            if let Some(blamed) = self.links.vouched(self.line, genuine) {
                let kind = if genuine { BreakKind::Edited } else { BreakKind::HeadMismatch };
                let detail = format!("not what line {} of heads.jsonl vouches for", head.at);
                self.tell(blamed, None, kind, detail);
            } else {
                self.report.covered = self.seq;
            }
            if *head.file != *self.files.name(part) {
                let detail =
                    format!("line {} of heads.jsonl says that it was written to {}", head.at, head.file);
                self.tell_file(part, BreakKind::FileMisplaced, detail);
            }
        }
    }

    fn malformed(&mut self, detail: String) {
        self.line += 1;
        let unsettled = self.links.jump(None);
        self.blame(unsettled);
        self.expected = None;
        self.tell(self.line, None, BreakKind::Malformed, detail);
    }

    /// Nothing can be said of what comes next until a line says it itself.
    fn resume_anywhere(&mut self) {
        let unsettled = self.links.jump(None);
        self.blame(unsettled);
        self.expected = None;
    }

    fn finish(mut self, heads: &[Checkpoint], running: bool) -> SessionReport {
        let last = self.links.last();
        self.report.last = last.unwrap_or(Digest::EMPTY).to_string();
        let unsettled = self.links.jump(last);
        self.blame(unsettled);
        self.report.lines = self.line;
        self.report.standing = match (self.end, running) {
            (_, true) => Standing::Running,
            (Some(_), false) => Standing::Ended,
            (None, false) => Standing::Killed,
        };
        // The heads were read before the lines, so this holds for a running session too.
        let ahead =
            self.checkpoints.clone().filter(|head| head.lines > self.seq).max_by_key(|head| head.lines);
        if let Some(head) = ahead {
            let detail = format!(
                "line {} of heads.jsonl recorded {} lines, {} are there",
                head.at, head.lines, self.seq
            );
            let place = self.line + u64::from(self.torn);
            self.tell(place.max(1), None, BreakKind::Truncated, detail);
        }
        if heads.is_empty() && self.line > 0 && !running {
            self.tell_session(BreakKind::NotInHeads, "heads.jsonl knows nothing of this session");
        } else if self.end.is_some() && !running && !heads.iter().any(|head| head.kind == Kind::End) {
            let detail = "session.end is there, and heads.jsonl has no end line for it: lines of heads.jsonl were \
                          removed, or caponier was killed between the two";
            self.tell_session(BreakKind::EndNotInHeads, detail);
        }
        if self.expect.is_some() && !self.met {
            self.tell_session(BreakKind::NotExpected, "no line has the digest that was expected");
        }
        self.note(running);
        self.report
    }

    fn note(&mut self, running: bool) {
        let mut note = |text: String| self.report.notes.push(text);
        if running {
            note("running: more lines will come".into());
        } else if self.end.is_none() {
            note(
                "ended without a session.end line: killed; up to 100 ms of allowed accesses may be missing"
                    .into(),
            );
        }
        if self.torn && !running {
            note("its last line is torn: it was being written when the end came".into());
        }
        let not_covered = self.report.lines.saturating_sub(self.report.covered);
        if not_covered > 0 && self.report.breaks.is_empty() {
            note(format!("{not_covered} lines after its last checkpoint are not covered by heads.jsonl"));
        }
    }

    fn blame(&mut self, line: Option<u64>) {
        if let Some(line) = line {
            let detail = "the chain does not fit here: this line was changed".to_owned();
            self.tell(line, None, BreakKind::Edited, detail);
        }
    }

    /// `line` counts over all files.
    fn tell(&mut self, line: u64, seq: Option<u64>, kind: BreakKind, detail: String) {
        let in_part = self.begins.iter().rev().find(|(_, begin)| *begin <= line).or(self.begins.first());
        let (part, begin) = in_part.copied().unwrap_or((0, 1));
        let file = self.files.name(part);
        self.report.tell(Break { file, line: Some(line + 1 - begin.min(line)), seq, kind, detail });
    }

    fn tell_file(&mut self, part: u32, kind: BreakKind, detail: String) {
        self.report.tell(Break { file: self.files.name(part), line: None, seq: None, kind, detail });
    }

    fn tell_session(&mut self, kind: BreakKind, detail: &str) {
        let file = format!("{}/{}", self.files.day, file_name(&self.files.session, 0));
        self.report.tell(Break { file, line: None, seq: None, kind, detail: detail.to_owned() });
    }
}
