//! Sessions read side by side, answered in order.
//!
//! Each core reads the next session that nobody reads yet, and holds what matches in a channel of that session's own;
//! the caller empties the channels in the order of the sessions. At most [`AHEAD`] sessions are begun before the
//! first of them is answered, each holding at most two chunks: memory does not grow with the log. Who reads the
//! session that is answered now never waits for another one, so nothing can stand still.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::audit::condition::Condition;
use crate::audit::days::Files;
use crate::audit::query::filter::Filter;
use crate::audit::query::reader::Reader;
use crate::audit::query::{Answer, Match, Note};

/// Sessions that are begun before the first of them is answered.
const AHEAD: usize = 8;
/// Bytes of matches that are passed on together.
const CHUNK: usize = 256 << 10;
/// More readers than this only wait for each other's memory.
const MOST_READERS: usize = 8;

/// What a reader passes on.
enum Piece {
    /// Whole lines, each with its newline.
    Lines(Vec<u8>),
    Note(Note),
    Condition(Condition),
}

/// One session, and where its pieces go. Taken once.
type Job = Mutex<Option<SyncSender<Piece>>>;

/// How far the answers are; readers stay at most [`AHEAD`] sessions before it.
#[derive(Default)]
struct Progress {
    answered: Mutex<Option<usize>>,
    moved: Condvar,
}

impl Progress {
    /// Waits until session `at` may be begun; `false` when the answer is complete without it.
    fn may_begin(&self, at: usize) -> bool {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |answered: &mut Option<usize>| answered.is_some_and(|answered| at >= answered + AHEAD);
        let answered = self.moved.wait_while(answered, waits).unwrap_or_else(PoisonError::into_inner);
        answered.is_some()
    }

    fn set(&self, answered: Option<usize>) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = answered;
        self.moved.notify_all();
    }
}

/// Reads `sessions`, and answers in their order.
pub(super) fn scan(
    dir: &Path,
    sessions: &[Files],
    filter: &Filter,
    answer: &mut impl Answer,
) -> io::Result<()> {
    let readers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_READERS);
    if sessions.len() < 2 || readers < 2 {
        let mut reader = Reader::default();
        for files in sessions {
            if reader.session(dir, files, filter, answer)?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    let (jobs, mut pieces): (Vec<Job>, VecDeque<Receiver<Piece>>) = sessions
        .iter()
        .map(|_| {
            let (sender, receiver) = sync_channel(1);
            (Mutex::new(Some(sender)), receiver)
        })
        .unzip();
    let next = AtomicUsize::new(0);
    let progress = Progress::default();
    progress.set(Some(0));
    std::thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| read(dir, sessions, filter, (&jobs, &next, &progress)));
        }
        let mut at = 0;
        let outcome = loop {
            let Some(session) = pieces.pop_front() else { break Ok(()) };
            match empty(&session, answer) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break Ok(()),
                Err(error) => break Err(error),
            }
            at += 1;
            progress.set(Some(at));
        };
        // Who still reads finds nobody at the other end, and stops.
        drop(pieces);
        progress.set(None);
        outcome
    })
}

/// One reader: takes the next session until there is none.
fn read(
    dir: &Path,
    sessions: &[Files],
    filter: &Filter,
    (jobs, next, progress): (&[Job], &AtomicUsize, &Progress),
) {
    let mut reader = Reader::default();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let (Some(files), Some(job)) = (sessions.get(at), jobs.get(at)) else { return };
        if !progress.may_begin(at) {
            return;
        }
        let Some(to) = job.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut batch = Batch { to, lines: Vec::new() };
        let done = reader.session(dir, files, filter, &mut batch).and_then(|_| batch.flush());
        if done.is_err() {
            return;
        }
    }
}

fn empty(session: &Receiver<Piece>, answer: &mut impl Answer) -> io::Result<ControlFlow<()>> {
    for piece in session {
        match piece {
            Piece::Note(note) => answer.note(note)?,
            Piece::Condition(condition) => answer.session(condition)?,
            Piece::Lines(lines) => {
                let text = std::str::from_utf8(&lines).map_err(io::Error::other)?;
                for line in text.split_terminator('\n') {
                    if answer.take(&Match { line })?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The reader's end of one session's channel.
struct Batch {
    to: SyncSender<Piece>,
    lines: Vec<u8>,
}

impl Batch {
    fn send(&self, piece: Piece) -> io::Result<()> {
        self.to.send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() { Ok(()) } else { self.send(Piece::Lines(lines)) }
    }
}

impl Answer for Batch {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        self.lines.extend_from_slice(found.line.as_bytes());
        self.lines.push(b'\n');
        if self.lines.len() >= CHUNK {
            self.flush()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        self.flush()?;
        self.send(Piece::Note(note))
    }

    fn session(&mut self, condition: Condition) -> io::Result<()> {
        self.flush()?;
        self.send(Piece::Condition(condition))
    }
}
