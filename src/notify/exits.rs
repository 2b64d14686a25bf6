//! How the processes of the tree end.
//!
//! Each process that was seen is held by a descriptor (`pidfd_open(2)`), which tells when it has ended, whoever its parent is.
//! Its status is there once its parent, or `init`, has taken note of the end: `PIDFD_GET_INFO`, Linux 6.15 and later; before,
//! it is not known to anybody but the parent.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::PollTimeout;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::event::{AuditLost, Event, ProcessExit, Status};
use crate::notify::Broker;
use crate::sys::{descriptor, process};

/// Processes that are watched at a time: each costs a descriptor.
const MOST: usize = 256;
/// How long the ends of the last ones are waited for, once nobody is left under the filter.
const LAST: u16 = 200;

/// One process.
#[derive(Debug)]
struct Watched {
    process: OwnedFd,
    ppid: u32,
    exe: String,
}

/// Those that are watched.
#[derive(Debug)]
pub(super) struct Exits {
    ends: Epoll,
    watched: HashMap<u32, Watched>,
    /// Whose end nobody will tell.
    missed: u64,
}

impl Exits {
    pub(super) fn new() -> io::Result<Exits> {
        Ok(Exits { ends: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, watched: HashMap::new(), missed: 0 })
    }

    /// Readable when one of them has ended.
    pub(super) fn ready(&self) -> BorrowedFd<'_> {
        self.ends.0.as_fd()
    }

    /// A process was seen for the first time.
    fn watch(&mut self, pid: u32, ppid: u32, exe: &str) {
        if self.watched.contains_key(&pid) {
            return;
        }
        let process = if self.watched.len() < MOST { descriptor::pidfd_open(pid).ok() } else { None };
        let added = process.filter(|process| {
            // Ended, and the end taken note of: both are told once.
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT;
            self.ends.add(process, EpollEvent::new(interest, pid.into())).is_ok()
        });
        match added {
            Some(process) => {
                self.watched.insert(pid, Watched { process, ppid, exe: exe.to_owned() });
            }
            None => self.missed += 1,
        }
    }

    /// A process executes another program.
    pub(super) fn executes(&mut self, pid: u32, exe: &str) {
        if let Some(watched) = self.watched.get_mut(&pid) {
            exe.clone_into(&mut watched.exe);
        }
    }

    /// Those that have ended since this was last asked; waits so many milliseconds for something to happen. `None`: nothing
    /// did.
    fn ended(&mut self, wait: u16) -> Option<Vec<ProcessExit>> {
        let mut events = [EpollEvent::empty(); 32];
        let count = self.ends.wait(&mut events, PollTimeout::from(wait)).unwrap_or(0);
        let told = events.iter().take(count).filter_map(|event| {
            let pid = u32::try_from(event.data()).ok()?;
            let watched = self.watched.get(&pid)?;
            let status = match process::status_of(watched.process.as_fd()) {
                // Its parent has not taken note yet: that is told too.
                Ok(None) if !event.events().contains(EpollFlags::EPOLLHUP) => {
                    let mut again = EpollEvent::new(EpollFlags::EPOLLONESHOT, event.data());
                    self.ends.modify(&watched.process, &mut again).ok()?;
                    return None;
                }
                status => status.ok().flatten(),
            };
            let Watched { ppid, exe, .. } = self.watched.remove(&pid)?;
            Some(ProcessExit { pid, ppid, exe, status: status.map(Status::of_wait), rusage: None })
        });
        let told = told.collect();
        (count > 0).then_some(told)
    }
}

impl Broker {
    /// A process was seen for the first time. The server's own end is told by the session, which knows more of it.
    pub(super) fn watch_end(&mut self, pid: u32, ppid: u32, exe: &str) {
        if pid != self.server {
            // The number may have been another's, whose end was not told yet.
            self.tell_ends();
            self.exits.watch(pid, ppid, exe);
        }
    }

    /// Records the ends that there were.
    pub(super) fn tell_ends(&mut self) {
        for exit in self.exits.ended(0).into_iter().flatten() {
            self.told_end(exit);
        }
    }

    /// Records the last ends, when nobody is left.
    pub(super) fn tell_last_ends(&mut self) {
        while !self.exits.watched.is_empty()
            && let Some(ended) = self.exits.ended(LAST)
        {
            ended.into_iter().for_each(|exit| self.told_end(exit));
        }
        // They have ended, for nobody is left; how is not known.
        for (pid, Watched { ppid, exe, .. }) in std::mem::take(&mut self.exits.watched) {
            self.told_end(ProcessExit { pid, ppid, exe, status: None, rusage: None });
        }
        let count = std::mem::take(&mut self.exits.missed);
        if count > 0 {
            let reason = format!("ends of processes, while {MOST} others were watched");
            let _ = self.emitter.emit(&Event::AuditLost(AuditLost { reason, count }));
        }
    }

    fn told_end(&self, exit: ProcessExit) {
        // It has happened; an unwritable log is heard of at the next thing that wants to happen.
        let _ = self.emitter.emit(&Event::ProcessExit(exit));
    }
}
