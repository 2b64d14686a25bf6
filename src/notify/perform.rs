//! Changes made by the broker itself, where the kernel was told to let none pass: on descriptors of ours, as the
//! caller would have made them: its umask, its limits, the kernel's own errno.
//!
//! The broker never blocks here: a pipe without a reader is waited for on a thread of its own (`fifo(7)`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::place::Place;
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::sys::seccomp::{self, Answer, Notification};
use crate::sys::{descriptor, errno, names, process};

/// Callers that may wait for a reader at one time.
const MOST_WAITING: usize = 32;
/// How long a pipe without a reader is left alone.
const PIPE_PAUSE: Duration = Duration::from_millis(5);

impl Broker {
    /// Does it, records what came of it, and answers.
    pub(super) fn perform_change(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        act: impl FnOnce() -> io::Result<()>,
    ) -> Reply {
        self.perform(asker, place, kind, || act().map(|()| Reply::Answer(Answer::Value(0))))
    }

    /// As [`Broker::perform_change`], for what ends in a descriptor.
    pub(super) fn perform_open(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        close_on_exec: bool,
        act: impl FnOnce() -> io::Result<OwnedFd>,
    ) -> Reply {
        self.perform(asker, place, kind, || act().map(|fd| Reply::Descriptor { fd, close_on_exec }))
    }

    fn perform(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        act: impl FnOnce() -> io::Result<Reply>,
    ) -> Reply {
        // What could not be told is not done.
        if self.emitter.ready().is_err() {
            return Reply::errno(libc::EIO);
        }
        let (errno, reply) = match act() {
            Ok(reply) => (0, reply),
            Err(error) => (errno::of(&error), Reply::errno(errno::of(&error))),
        };
        self.allow(asker, Access::of(place, kind, errno, Evidence::Performed), reply)
    }

    /// Makes the caller's umask this thread's: for what is created next.
    pub(super) fn adopt_umask(&mut self, notification: &Notification) -> Result<(), Reply> {
        let umask = self.targets.umask(notification.tid);
        self.still_waits(notification).map_err(|_| Reply::Gone)?;
        let umask = umask.map_err(|error| Reply::errno(errno::of(&error)))?;
        if self.umask != Some(umask) {
            process::set_umask(umask);
            self.umask = Some(umask);
        }
        Ok(())
    }

    /// `umask(2)`: always allowed, and the end of what was known of it.
    pub(super) fn change_umask(&mut self, notification: &Notification) -> Reply {
        match self.asker(notification) {
            Some(asker) => {
                self.targets.changes_umask(asker.pid);
                Reply::CONTINUE
            }
            None => Reply::Gone,
        }
    }

    /// Opens a pipe for writing when somebody reads from it; until then its caller waits, and nobody else.
    pub(super) fn open_pipe(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        (fd, flags): (OwnedFd, i32),
    ) -> Reply {
        let close_on_exec = flags & libc::O_CLOEXEC != 0;
        let at_once = names::reopen(fd.as_fd(), flags | libc::O_NONBLOCK);
        let waits = flags & libc::O_NONBLOCK == 0;
        match at_once {
            Err(error) if waits && errno::of(&error) == libc::ENXIO => {}
            opened => {
                let settle = |fd: OwnedFd| {
                    if waits {
                        descriptor::set_nonblocking(fd.as_fd(), false)?;
                    }
                    Ok(fd)
                };
                return self.perform_open(asker, place, kind, close_on_exec, || opened.and_then(settle));
            }
        }
        let Ok(listener) = self.listener.try_clone() else { return Reply::errno(libc::ENFILE) };
        let waiting = Arc::clone(&self.waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Reply::errno(libc::ENFILE);
        }
        let access = Access::of(place, kind, 0, Evidence::Performed);
        let told = self.allow(asker, access, Reply::CONTINUE);
        let id = notification.id;
        let started = if matches!(told, Reply::Answer(Answer::Continue)) {
            let wait = Waiting { listener, id, pipe: fd, flags, others: Arc::clone(&waiting) };
            std::thread::Builder::new().name("pipe".into()).spawn(move || wait.run()).is_ok()
        } else {
            false
        };
        if started {
            return Reply::Handed;
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
        if matches!(told, Reply::Answer(Answer::Continue)) { Reply::errno(libc::ENFILE) } else { told }
    }
}

/// One caller that waits for a reader.
struct Waiting {
    listener: OwnedFd,
    id: u64,
    pipe: OwnedFd,
    flags: i32,
    others: Arc<AtomicUsize>,
}

impl Waiting {
    fn run(self) {
        while seccomp::is_valid(self.listener.as_fd(), self.id) {
            let opened = names::reopen(self.pipe.as_fd(), self.flags | libc::O_NONBLOCK);
            match opened.and_then(|fd| descriptor::set_nonblocking(fd.as_fd(), false).map(|()| fd)) {
                Err(error) if errno::of(&error) == libc::ENXIO => std::thread::sleep(PIPE_PAUSE),
                outcome => {
                    self.answer(outcome);
                    break;
                }
            }
        }
        self.others.fetch_sub(1, Ordering::Relaxed);
    }

    fn answer(&self, outcome: io::Result<OwnedFd>) {
        let listener = self.listener.as_fd();
        let close_on_exec = self.flags & libc::O_CLOEXEC != 0;
        let sent = outcome
            .and_then(|fd| seccomp::respond_with_descriptor(listener, self.id, fd.as_fd(), close_on_exec));
        if let Err(error) = sent {
            // Its caller may be gone meanwhile; if not, it hears why.
            let _ = seccomp::respond(listener, self.id, Answer::Errno(errno::of(&error)));
        }
    }
}
