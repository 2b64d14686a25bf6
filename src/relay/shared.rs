//! What both directions share: the gate, the log, the way to the client, and whether the session still goes on.
//!
//! Locks are held for one judgement, never while a peer is waited for. The `open` lock is held while a message is
//! judged and recorded: whoever closes it knows that no event of the relay's comes later.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError};

use tokio::sync::mpsc::UnboundedSender;

use crate::event::Unwritable;
use crate::jsonrpc::Id;
use crate::mcp::answer;
use crate::mcp::gate::Gate;
use crate::mcp::pending::Call;
use crate::mcp::refusal::Refusal;
use crate::policy::calls::Deeds;
use crate::relay::alarm::Alarm;
use crate::relay::confirm::ways::Confirm;
use crate::relay::meter::Meter;
use crate::relay::notifications::Notifications;
use crate::relay::pinned::Store;
use crate::relay::record::{Ending, Recorder};
use crate::relay::stderr::Stderr;
use crate::relay::{Notice, pipe};

/// Lines of ours that wait for a server to read.
const MAX_UNSAID: usize = 10_000;

pub(super) struct Shared {
    pub(super) gate: Mutex<Gate>,
    pub(super) record: Recorder,
    pub(super) meter: Mutex<Meter>,
    pub(super) notifications: Mutex<Notifications>,
    pub(super) client: ClientOut,
    pub(super) server: ServerIn,
    pub(super) stderr: Stderr,
    pub(super) alarm: Alarm,
    pub(super) notices: UnboundedSender<Notice>,
    /// The pin file, and whether what cannot be written there is held back.
    pub(super) pins: Option<(Store, bool)>,
    /// How a person is asked, where the policy has calls wait for one.
    pub(super) confirm: Option<Confirm>,
    pub(super) open: RwLock<bool>,
}

impl Shared {
    /// The gate, for one judgement. A panic elsewhere leaves it whole: its table changes in single steps.
    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notifications(&self) -> MutexGuard<'_, Notifications> {
        self.notifications.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the server that its request is refused.
    pub(super) fn refuse_server(&self, id: &Id<'_>, refusal: &Refusal) {
        let code = answer::code(refusal, None);
        self.server.say(answer::refused_to_server(id.raw(), refusal.denial.reason, code).into_bytes());
        self.alarm.wake();
    }

    /// For the time of one message; `None` when the session has ended.
    pub(super) fn enter(&self) -> Option<RwLockReadGuard<'_, bool>> {
        Some(self.open.read().unwrap_or_else(PoisonError::into_inner)).filter(|open| **open)
    }

    /// No message is judged after this.
    pub(super) fn close(&self) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// A call that was in flight has ended; what it did is held against what its tool declares.
    pub(super) fn call_ends(&self, call: &Call, ending: Ending) -> Result<(), Unwritable> {
        let (deeds, written) = self.record.call_ends(call, ending);
        if deeds == Deeds::default() {
            return written;
        }
        let found = self.gate().hold(&call.tool, &deeds);
        let told = found.into_iter().map(|mismatch| self.record.mismatch(call, mismatch));
        written.and(told.fold(Ok(()), Result::and))
    }

    /// Closes the server's stdin, and lets go of it whoever waits for room in it.
    pub(super) fn close_server(&self) {
        self.server.close();
        self.alarm.wake();
    }

    pub(super) fn notify(&self, notice: Notice) {
        // A session that no longer listens is ending.
        let _ = self.notices.send(notice);
    }
}

/// Our stdout. Whole lines only, from either thread.
pub(super) struct ClientOut(Mutex<File>);

impl ClientOut {
    pub(super) fn new(file: File) -> Self {
        ClientOut(Mutex::new(file))
    }

    /// Writes one or several whole lines.
    pub(super) fn write(&self, lines: &[u8]) -> io::Result<()> {
        pipe::write_all(&self.0.lock().unwrap_or_else(PoisonError::into_inner), lines)
    }
}

/// The server's stdin: closed by whoever first has a reason to.
///
/// Two write to it: the client's direction, which waits as long as a server does not read, and whoever has something of
/// ours to say, who never waits. What is ours goes between two messages: it is queued, and written by whoever has the
/// turn, or by the first who finds the turn free. Each such line is short enough to be written whole or not at all
/// (pipe(7): PIPE_BUF).
pub(super) struct ServerIn {
    file: Mutex<Option<Arc<File>>>,
    /// Held while a message is written.
    turn: Mutex<()>,
    /// Lines of ours that wait.
    unsaid: Mutex<VecDeque<Vec<u8>>>,
    /// Our stdout again, to see that nobody reads it any more.
    client: File,
}

impl ServerIn {
    /// `file` is a pipe of ours, so that O_NONBLOCK on it touches nobody else; `client` is only watched.
    pub(super) fn new(file: File, client: File) -> io::Result<Self> {
        pipe::set_nonblocking(&file)?;
        Ok(ServerIn {
            file: Mutex::new(Some(Arc::new(file))),
            turn: Mutex::new(()),
            unsaid: Mutex::new(VecDeque::new()),
            client,
        })
    }

    pub(super) fn close(&self) {
        self.lock().take();
    }

    /// Writes everything; [`ServerIn::settle`] follows. `client_gone` is called once if the client goes away while the server does not read: no
    /// read of ours would ever tell.
    pub(super) fn write(&self, bytes: &[u8], client_gone: impl FnOnce()) -> io::Result<()> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.write_all(bytes, client_gone);
        drop(turn);
        written
    }

    /// Decides what is written, if anything is, and writes it, in one turn. `client_gone` as in [`ServerIn::write`].
    pub(super) fn write_decided(
        &self,
        decide: impl FnOnce() -> Option<Vec<u8>>,
        client_gone: impl FnOnce(),
    ) -> io::Result<()> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let written = decide().map_or(Ok(()), |bytes| self.write_all(&bytes, client_gone));
        drop(turn);
        written
    }

    /// A line of ours, its line end included: said as soon as it can be. To a server that does not read, no more is said
    /// than [`MAX_UNSAID`] lines.
    pub(super) fn say(&self, line: Vec<u8>) {
        let mut unsaid = self.unsaid();
        if unsaid.len() < MAX_UNSAID {
            unsaid.push_back(line);
        }
        drop(unsaid);
        self.settle();
    }

    /// Says what waits, unless somebody is writing: then that one does it afterwards. When the server does not read, what
    /// is left waits for this file.
    ///
    /// The queue is looked at again after the turn was given back: a line that was queued meanwhile found it taken.
    pub(super) fn settle(&self) -> Option<Arc<File>> {
        while !self.unsaid().is_empty() {
            let turn = match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            let full = self.say_next();
            drop(turn);
            if full.is_some() {
                return full;
            }
        }
        None
    }

    /// Writes the first line that waits, for whoever has the turn.
    fn say_next(&self) -> Option<Arc<File>> {
        let line = self.unsaid().front().cloned()?;
        let Some(file) = self.lock().clone() else {
            self.unsaid().clear();
            return None;
        };
        match (&*file).write(&line) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(file),
            // Said, or there is nobody to hear it.
            Ok(_) | Err(_) => drop(self.unsaid().pop_front()),
        }
        None
    }

    fn unsaid(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.unsaid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, bytes: &[u8], client_gone: impl FnOnce()) -> io::Result<()> {
        let Some(file) = self.lock().clone() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut client_gone = Some(client_gone);
        pipe::write_watching(&file, bytes, || {
            if client_gone.is_none() {
                return pipe::wait(file.as_fd(), nix::poll::PollFlags::POLLOUT, nix::poll::PollTimeout::NONE)
                    .map(drop);
            }
            if pipe::wait_or_gone(file.as_fd(), self.client.as_fd())?
                && let Some(tell) = client_gone.take()
            {
                tell();
            }
            Ok(())
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<File>>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
