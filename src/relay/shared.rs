//! What both directions share: the gate, the log, the way to the client, and whether the session still goes on.
//!
//! Locks are held for one judgement, never while a peer is waited for. The `open` lock is held while a message is
//! judged and recorded: whoever closes it knows that no event of the relay's comes later.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::mpsc::UnboundedSender;

use crate::mcp::gate::Gate;
use crate::relay::meter::Meter;
use crate::relay::record::Recorder;
use crate::relay::stderr::Stderr;
use crate::relay::{Notice, pipe};

pub(super) struct Shared {
    pub(super) gate: Mutex<Gate>,
    pub(super) record: Recorder,
    pub(super) meter: Mutex<Meter>,
    pub(super) client: ClientOut,
    pub(super) server: ServerIn,
    pub(super) stderr: Stderr,
    pub(super) notices: UnboundedSender<Notice>,
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

    /// For the time of one message; `None` when the session has ended.
    pub(super) fn enter(&self) -> Option<RwLockReadGuard<'_, bool>> {
        Some(self.open.read().unwrap_or_else(PoisonError::into_inner)).filter(|open| **open)
    }

    /// No message is judged after this.
    pub(super) fn close(&self) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = false;
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
pub(super) struct ServerIn {
    file: Mutex<Option<Arc<File>>>,
    /// Our stdout again, to see that nobody reads it any more.
    client: File,
}

impl ServerIn {
    /// `file` is a pipe of ours, so that O_NONBLOCK on it touches nobody else; `client` is only watched.
    pub(super) fn new(file: File, client: File) -> io::Result<Self> {
        pipe::set_nonblocking(&file)?;
        Ok(ServerIn { file: Mutex::new(Some(Arc::new(file))), client })
    }

    pub(super) fn close(&self) {
        self.lock().take();
    }

    /// Writes everything. `client_gone` is called once if the client goes away while the server does not read: no
    /// read of ours would ever tell.
    pub(super) fn write(&self, bytes: &[u8], client_gone: impl FnOnce()) -> io::Result<()> {
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
