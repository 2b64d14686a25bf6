//! What wakes the thread that watches deadlines: a pipe of its own, so that it can sleep in poll(2).
//!
//! A call wakes it only when its deadline comes before the one that it sleeps for. With one time-out for all calls that is
//! once for each time-out, and not once for each call.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::poll::PollTimeout;

use crate::mcp::gate::Gate;
use crate::relay::pipe;

/// What wakes the thread.
pub(super) struct Alarm {
    woken: File,
    wake: File,
    /// When it wakes by itself; `None`: not at all. Changed under the gate's lock, as the deadlines are.
    armed: Mutex<Option<Instant>>,
}

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        let (woken, wake) = (File::from(OwnedFd::from(woken)), File::from(OwnedFd::from(wake)));
        pipe::set_nonblocking(&woken)?;
        pipe::set_nonblocking(&wake)?;
        Ok(Alarm { woken, wake, armed: Mutex::new(None) })
    }

    /// Wakes the thread if the gate's next deadline comes before the one that it sleeps for.
    pub(super) fn follow(&self, gate: &Gate) {
        let Some(deadline) = gate.deadline() else { return };
        let armed = *self.armed();
        if armed.is_none_or(|armed| deadline < armed) {
            self.wake();
        }
    }

    /// Wakes the thread.
    pub(super) fn wake(&self) {
        // A full pipe has woken it already.
        let _ = (&self.wake).write(&[0]);
    }

    /// What the thread sleeps for from now on. Called under the gate's lock.
    pub(super) fn arm(&self, deadline: Option<Instant>) {
        *self.armed() = deadline;
    }

    /// Sleeps until somebody wakes it, `out` takes bytes, or the time is over.
    pub(super) fn wait(&self, out: Option<BorrowedFd<'_>>, timeout: PollTimeout) -> io::Result<()> {
        pipe::wait_or_writable(self.woken.as_fd(), out, timeout)?;
        // Whatever was written there said no more than this.
        let _ = (&self.woken).read(&mut [0; 64]);
        Ok(())
    }

    fn armed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
