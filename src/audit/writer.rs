//! The writer of one session's log: what [`Sink`] is in a real run.
//!
//! Called from the relay and from the broker's thread, at the moment when something is about to happen: when
//! [`Sink::append`] returns for an urgent event, its line and all before it are with the kernel. One lock, held for
//! one line and, when it is due, one `write(2)`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::audit::folder::{Error, Folder, io_error};
use crate::audit::heads::Kind;
use crate::audit::line::Frame;
use crate::audit::redact::Redactor;
use crate::audit::segment::Segments;
use crate::audit::session_id::is_session_id;
use crate::audit::stamp::Stamp;
use crate::audit::state::State;
use crate::event::{Cause, Event, Redact, Rusage, SessionEnd, Sink, Status, Unwritable};
use crate::policy::{Arguments, OnFailure, Sync};

pub use crate::audit::state::Counters;

/// Size of a file, in bytes, beyond which a session goes on in a new one.
pub const ROTATE_AT: u64 = 64 << 20;

/// How one session's log is kept.
#[derive(Clone)]
pub struct Settings {
    /// The folder of all logs; created when it is missing.
    pub dir: PathBuf,
    /// From [`crate::audit::session_id`].
    pub session: String,
    /// The server's name.
    pub server: String,
    /// When lines are made durable.
    pub sync: Sync,
    /// What happens when they cannot be written.
    pub on_failure: OnFailure,
    /// Usually [`ROTATE_AT`].
    pub rotate_at: u64,
    /// What the session knows to be secret, and stands in no line: a kind (`env.NAME`, `argv`) with a value each.
    pub secrets: Vec<(String, String)>,
    /// How much of a call's arguments is recorded.
    pub arguments: Arguments,
}

/// What the session knows of its end; the rest of `session.end` was counted.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// How the server's own process ended; `None` when it was never started.
    pub status: Option<Status>,
    /// Why.
    pub cause: Cause,
    /// Of the server's own process.
    pub rusage: Option<Rusage>,
}

/// See the module.
#[derive(Debug)]
pub struct Writer {
    state: Mutex<State>,
    redactor: Arc<Redactor>,
    session: String,
    path: PathBuf,
    opened: Instant,
}

impl Writer {
    /// Creates the session's file and says so in `heads.jsonl`. Nothing may be started when this fails.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let Settings { dir, session, server, sync, on_failure, rotate_at, secrets, arguments } = settings;
        if !is_session_id(session.as_bytes()) {
            return Err(Error::BadSession { session: session.clone() });
        }
        let redactor =
            Redactor::new(secrets, *arguments).map_err(io_error("read", Path::new("/dev/urandom")))?;
        let redactor = Arc::new(redactor);
        let frame = Frame::new(session, server, Arc::clone(&redactor))
            .map_err(|error| Error::BadServer { detail: error.to_string() })?;
        let root = Folder::create(dir)?;
        let day = root.child(&Stamp::now().day())?;
        let segments = Segments::create(day, session, *rotate_at)?;
        let path = segments.day().path().join(segments.name());
        let mut state = State::new(root, segments, frame, session, (*sync, *on_failure));
        state.head(Kind::Start)?;
        let state = Mutex::new(state);
        Ok(Writer { state, redactor, session: session.clone(), path, opened: Instant::now() })
    }

    /// Since when the log cannot be written; `None` while it can. After a panic it never can again: the answer is then
    /// the session's start, so that the session ends.
    pub fn failing_since(&self) -> Option<Instant> {
        self.lock().map_or(Some(self.opened), |state| state.failing_since())
    }

    /// Tries again to write what is batched, and whatever has to be told of the failure.
    pub fn retry(&self) -> Result<(), Unwritable> {
        self.lock()?.retry()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Result<Counters, Unwritable> {
        Ok(self.lock()?.counters())
    }

    /// Writes `session.end` and the last line in `heads.jsonl`, and makes both durable. Nothing can be appended
    /// afterwards. After an error it may be called again. Gives the number of `session.end`.
    pub fn finish(&self, ending: &Ending) -> Result<u64, Unwritable> {
        let Ending { status, cause, rusage } = *ending;
        let duration_us = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.lock()?.finish(|Counters { events, calls, denied, lost }| {
            let end = SessionEnd { status, cause, duration_us, events, calls, denied, lost, rusage };
            Event::SessionEnd(Box::new(end))
        })
    }

    /// The session's first file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> Result<MutexGuard<'_, State>, Unwritable> {
        // A panic between a line and its place in the chain would leave a chain that does not verify.
        self.state
            .lock()
            .map_err(|_| Unwritable { detail: "a thread panicked while it wrote the log".into() })
    }
}

impl Sink for Writer {
    fn append(&self, event: &Event) -> Result<u64, Unwritable> {
        self.lock()?.append(event)
    }

    fn flush(&self) -> Result<(), Unwritable> {
        self.lock()?.flush()
    }

    fn session(&self) -> &str {
        &self.session
    }

    fn redact(&self) -> &dyn Redact {
        self.redactor.as_ref()
    }
}

#[cfg(test)]
mod tests;
