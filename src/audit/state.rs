//! What the writer holds behind its lock: the lines not yet with the kernel, the tip of the chain, what was lost.
//!
//! The order that matters: a line takes its number and its place in the chain only when it can no longer vanish. What
//! cannot be written is taken back as if it had never been, and counted; the count is told (`audit.degraded`,
//! `audit.lost`) by the first lines that can be written again.

use std::time::{Duration, Instant};

use crate::audit::chain::Digest;
use crate::audit::folder::Folder;
use crate::audit::heads::{self, Head, Kind, Wait};
use crate::audit::line::{self, Frame};
use crate::audit::segment::Segments;
use crate::audit::stamp::Stamp;
use crate::event::{AuditDegraded, AuditLost, Event, Unwritable, Urgency};
use crate::policy::{OnFailure, Sync};

/// Batched bytes beyond which we do not wait for a flush.
const BATCH: usize = 64 << 10;
/// Bytes kept while the log cannot be written.
const BACKLOG: usize = 1 << 20;
/// Lines, and time, between two checkpoints.
const CHECKPOINT_LINES: u64 = 1000;
const CHECKPOINT_TIME: Duration = Duration::from_secs(10);

/// What a session counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lines.
    pub events: u64,
    /// Calls begun.
    pub calls: u64,
    /// Denials.
    pub denied: u64,
    /// Events that are not in the log; the sum of its `audit.lost` lines.
    pub lost: u64,
}

/// The last line: its number and its digest.
#[derive(Debug, Clone, Copy)]
struct Tip {
    seq: u64,
    digest: Digest,
}

/// Where to come back to.
struct Mark {
    pending: usize,
    tip: Tip,
}

/// What has to be told as soon as the log can be written.
#[derive(Debug, Default)]
struct Untold {
    /// Refused with [`Unwritable`]; nothing took effect.
    refused: u64,
    /// Dropped at the backlog's cap.
    dropped: u64,
    /// Written later than they happened.
    late: u64,
    /// What the kernel said first.
    detail: String,
}

/// Why a line is not with the kernel.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Line(#[from] line::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Heads(#[from] crate::audit::folder::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// `session.end` is written, its line in `heads.jsonl` is not.
    Ended,
    Closed,
}

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    root: Folder,
    session: String,
    segments: Segments,
    frame: Frame,
    sync: Sync,
    on_failure: OnFailure,
    pending: Vec<u8>,
    /// Of the last line that was made.
    tip: Tip,
    /// Of the last line that is with the kernel.
    written: Tip,
    covered: u64,
    covered_at: Instant,
    counters: Counters,
    untold: Untold,
    failing_since: Option<Instant>,
    stage: Stage,
}

impl State {
    /// A session whose file is created and whose line in `heads.jsonl` is not yet written.
    pub(super) fn new(
        root: Folder,
        segments: Segments,
        frame: Frame,
        session: &str,
        audit: (Sync, OnFailure),
    ) -> Self {
        let tip = Tip { seq: 0, digest: Digest::EMPTY };
        State {
            root,
            session: session.to_owned(),
            segments,
            frame,
            sync: audit.0,
            on_failure: audit.1,
            pending: Vec::with_capacity(BATCH + 4096),
            tip,
            written: tip,
            covered: 0,
            covered_at: Instant::now(),
            counters: Counters::default(),
            untold: Untold::default(),
            failing_since: None,
            stage: Stage::Open,
        }
    }

    /// Appends a line to `heads.jsonl` about what is with the kernel; `false` when somebody else had its lock.
    pub(super) fn head(&mut self, kind: Kind) -> Result<bool, crate::audit::folder::Error> {
        let day = self.segments.day().path().file_name().unwrap_or_default().to_string_lossy();
        let file = format!("{day}/{}", self.segments.name());
        let Tip { seq: lines, digest: last } = self.written;
        let head = Head { session: &self.session, file: &file, lines, last, kind };
        let wait = if kind == Kind::Checkpoint { Wait::No } else { Wait::Patiently };
        let Some(heads) = heads::append(&self.root, &head, wait)? else { return Ok(false) };
        self.covered = lines;
        self.covered_at = Instant::now();
        if kind == Kind::End || (kind == Kind::Checkpoint && self.sync != Sync::Session) {
            let path = self.root.path().join(heads::FILE);
            heads.sync_data().map_err(crate::audit::folder::io_error("sync", &path))?;
        }
        Ok(true)
    }

    /// See [`crate::event::Sink::append`].
    pub(super) fn append(&mut self, event: &Event) -> Result<u64, Unwritable> {
        self.is_open()?;
        let mark = self.mark();
        let now = event.urgency() == Urgency::BeforeEffect
            || self.sync == Sync::Event
            || self.failing_since.is_some()
            || self.pending.len() >= BATCH;
        let durable = match self.sync {
            Sync::Session => false,
            Sync::Call => matches!(event, Event::CallEnd(_)),
            Sync::Event => true,
        };
        let written = self.push_untold().and_then(|()| self.push(event)).and_then(|()| match now {
            true => self.write_out(durable),
            false => Ok(()),
        });
        match written {
            Ok(()) => {
                self.told();
                self.count(event);
                Ok(self.tip.seq)
            }
            Err(failure) => {
                self.take_back(mark);
                self.refuse(event, failure)
            }
        }
    }

    /// Writes what is batched, and a checkpoint when one is due. Under [`OnFailure::Continue`] a failure is only
    /// remembered.
    pub(super) fn flush(&mut self) -> Result<(), Unwritable> {
        let flushed = self.retry();
        match self.on_failure {
            OnFailure::Block => flushed,
            OnFailure::Continue => Ok(()),
        }
    }

    /// Like [`State::flush`], and says whether the log can be written whatever the profile says of failures.
    pub(super) fn retry(&mut self) -> Result<(), Unwritable> {
        if self.stage != Stage::Open {
            return Ok(());
        }
        let mark = self.mark();
        let written = self.push_untold().and_then(|()| self.write_out(self.sync == Sync::Event));
        match written {
            Ok(()) => self.told(),
            Err(failure) => {
                self.take_back(mark);
                return Err(self.fail(&failure));
            }
        }
        Ok(())
    }

    /// Writes the last line, made by `end` from the counters, its line in `heads.jsonl`, and makes both durable.
    /// May be called again after a failure. Gives the line's number.
    pub(super) fn finish(&mut self, end: impl FnOnce(Counters) -> Event) -> Result<u64, Unwritable> {
        if self.stage == Stage::Open {
            let mark = self.mark();
            let written = self.push_untold().and_then(|()| {
                let lost = self.counters.lost + self.untold.refused + self.untold.dropped;
                self.push(&end(Counters { events: self.tip.seq, lost, ..self.counters }))?;
                self.write_out(false)
            });
            if let Err(failure) = written {
                self.take_back(mark);
                return Err(self.fail(&failure));
            }
            self.told();
            self.stage = Stage::Ended;
        }
        if self.stage == Stage::Ended {
            let closed = self.head(Kind::End).map_err(Failure::from);
            let closed = closed.and_then(|_| self.segments.sync().map_err(Failure::from));
            closed.map_err(|failure| self.fail(&failure))?;
            self.stage = Stage::Closed;
        }
        Ok(self.tip.seq)
    }

    /// Since when the log cannot be written.
    pub(super) fn failing_since(&self) -> Option<Instant> {
        self.failing_since
    }

    /// What was counted so far.
    pub(super) fn counters(&self) -> Counters {
        let untold = self.untold.refused + self.untold.dropped;
        Counters { events: self.tip.seq, lost: self.counters.lost + untold, ..self.counters }
    }

    fn is_open(&self) -> Result<(), Unwritable> {
        match self.stage {
            Stage::Open => Ok(()),
            Stage::Ended | Stage::Closed => Err(Unwritable { detail: "the session's log is closed".into() }),
        }
    }

    fn mark(&self) -> Mark {
        Mark { pending: self.pending.len(), tip: self.tip }
    }

    fn take_back(&mut self, mark: Mark) {
        self.pending.truncate(mark.pending);
        self.tip = mark.tip;
    }

    fn push(&mut self, event: &Event) -> Result<(), Failure> {
        let seq = self.tip.seq + 1;
        let digest = self.frame.push(&mut self.pending, seq, Stamp::now(), event, self.tip.digest)?;
        self.tip = Tip { seq, digest };
        Ok(())
    }

    /// One line for each kind of thing that has to be told.
    fn push_untold(&mut self) -> Result<(), Failure> {
        let Untold { refused, dropped, late, ref detail } = self.untold;
        let lost = |reason: &str, count| Event::AuditLost(AuditLost { reason: reason.to_owned(), count });
        let late = (late > 0).then(|| {
            let reason = format!("written later than it happened: {detail}");
            Event::AuditDegraded(AuditDegraded { reason, count: late })
        });
        let refused = (refused > 0).then(|| lost(&format!("refused while unwritable: {detail}"), refused));
        let dropped = (dropped > 0).then(|| lost(&format!("dropped while unwritable: {detail}"), dropped));
        [late, refused, dropped].into_iter().flatten().try_for_each(|event| self.push(&event))
    }

    /// What had to be told is in the chain now.
    fn told(&mut self) {
        self.counters.lost += self.untold.refused + self.untold.dropped;
        self.untold = Untold::default();
    }

    /// Hands all pending lines to the kernel. A due checkpoint goes first: it covers lines that are there already, so
    /// that its failure is the new line's failure.
    fn write_out(&mut self, durable: bool) -> Result<(), Failure> {
        let uncovered = self.written.seq - self.covered;
        if uncovered >= CHECKPOINT_LINES || (uncovered > 0 && self.covered_at.elapsed() >= CHECKPOINT_TIME) {
            self.head(Kind::Checkpoint)?;
        }
        if !self.pending.is_empty() {
            self.segments.write(&self.pending, durable)?;
            self.pending.clear();
            self.pending.shrink_to(2 * BATCH);
            self.written = self.tip;
        }
        self.failing_since = None;
        Ok(())
    }

    fn count(&mut self, event: &Event) {
        self.counters.denied += event.denials();
        match event {
            Event::CallStart(_) => self.counters.calls += 1,
            Event::AuditLost(lost) => self.counters.lost += lost.count,
            _ => {}
        }
    }

    /// Remembers that the log cannot be written. A line that cannot be made says nothing about the log.
    fn fail(&mut self, failure: &Failure) -> Unwritable {
        let detail = failure.to_string();
        if !matches!(failure, Failure::Line(_)) {
            self.failing_since.get_or_insert_with(Instant::now);
        }
        if self.untold.detail.is_empty() {
            self.untold.detail.clone_from(&detail);
        }
        Unwritable { detail }
    }

    /// What becomes of an event that could not be written.
    fn refuse(&mut self, event: &Event, failure: Failure) -> Result<u64, Unwritable> {
        let unwritable = self.fail(&failure);
        match (self.on_failure, event) {
            // Whoever counted these still has the count, and will come again.
            (OnFailure::Block, Event::AuditLost(_)) => Err(unwritable),
            (OnFailure::Block, _) => {
                self.untold.refused += 1;
                Err(unwritable)
            }
            (OnFailure::Continue, _) => Ok(self.keep(event)),
        }
    }

    /// Keeps an event for later as long as there is room; 0 when there is none.
    fn keep(&mut self, event: &Event) -> u64 {
        let mark = self.mark();
        match self.push(event) {
            Ok(()) if self.pending.len() <= BACKLOG => {
                self.untold.late += 1;
                self.count(event);
                self.tip.seq
            }
            Ok(()) | Err(_) => {
                self.take_back(mark);
                self.untold.dropped += match event {
                    Event::AuditLost(lost) => lost.count,
                    _ => 1,
                };
                0
            }
        }
    }
}
