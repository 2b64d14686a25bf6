//! Sockets in the file system: connected and bound on our copy of the socket, at the file that was judged.
//!
//! A server reaches the sockets that its profile lists by their real paths, and those that its own tree bound. Which
//! those are is told by inode, and each is held open, so that its number cannot become another file's. Nothing is
//! continued: the address lies in memory that the server can change. Abstract names are refused. See `unix(7)`.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::fcntl::ResolveFlag;

use crate::event::{Event, SocketUnix};
use crate::notify::denial::{denial, never};
use crate::notify::entry::Entry;
use crate::notify::place::{Found, Manner, Place};
use crate::notify::record::Asker;
use crate::notify::{Broker, Reply, Stop, target};
use crate::policy::calls::Touch;
use crate::policy::profile_line::adding;
use crate::policy::reason::Reason;
use crate::policy::service::Service;
use crate::policy::verdict::{Denial, Remedy, Ruling};
use crate::sandbox::rules::Rights;
use crate::sys::path::{self, Follow, Inode};
use crate::sys::seccomp::{self, Answer, Notification};
use crate::sys::{descriptor, errno, socket};

/// Sockets of the tree's own that are remembered.
const MOST_BOUND: usize = 256;
/// Callers that may wait for a full listener at one time.
const MOST_WAITING: usize = 32;

const ABSTRACT: &str =
    "an abstract name belongs to nobody: whoever is first has it; bind one in a folder instead";

/// What a server may reach, and what it bound.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    listed: Vec<PathBuf>,
    bound: VecDeque<(Inode, OwnedFd)>,
}

impl Sockets {
    pub(super) fn listed(listed: Vec<PathBuf>) -> Sockets {
        Sockets { listed, bound: VecDeque::new() }
    }

    fn admits(&self, inode: Inode, path: &Path) -> bool {
        self.bound.iter().any(|(own, _)| *own == inode) || self.listed.iter().any(|listed| listed == path)
    }

    fn remember(&mut self, inode: Inode, held: OwnedFd) {
        if self.bound.len() >= MOST_BOUND {
            self.bound.pop_front();
        }
        self.bound.push_back((inode, held));
    }
}

impl Broker {
    pub(super) fn connect_unix(&mut self, notification: &Notification, asked: &[u8]) -> Reply {
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let place = match self.look_up(notification, libc::AT_FDCWD, asked.to_vec(), Manner::FOLLOW) {
            Ok(place) => place,
            Err(Stop::Gone) => return Reply::Gone,
            Err(Stop::Natural(errno) | Stop::Unreadable(errno)) => return Reply::errno(errno),
            Err(Stop::Foreign(path)) => {
                let why = "another process's files in /proc are that process's secrets";
                let shown = crate::event::text(path.as_os_str().as_bytes()).into_owned();
                return self.refuse_socket(&asker, shown, &never(Reason::FsProc, why));
            }
        };
        let Found::Existing { fd, stat } = &place.found else { return Reply::errno(libc::ENOENT) };
        if stat.mode & libc::S_IFMT != libc::S_IFSOCK {
            return Reply::errno(libc::ECONNREFUSED);
        }
        if !self.sockets.admits(stat.inode, &place.path) {
            return self.refuse_socket(&asker, place.shown(), &not_listed(&place.path));
        }
        let copy = match self.own_copy(notification, &asker, &place) {
            Ok(copy) => copy,
            Err(reply) => return reply,
        };
        let peer = match fd.try_clone() {
            Ok(peer) => peer,
            Err(error) => return Reply::errno(errno::of(&error)),
        };
        let told = self.allow_socket(&asker, &place, 0, Reply::CONTINUE);
        if !matches!(told, Reply::Answer(Answer::Continue)) {
            return told;
        }
        // A listener that is full makes a blocking socket wait, and the broker waits for nobody.
        match descriptor::is_nonblocking(copy.as_fd()) {
            Ok(true) => match connect_to(&copy, &peer) {
                Ok(()) => Reply::Answer(Answer::Value(0)),
                Err(error) => {
                    let errno = errno::of(&error);
                    self.allow_socket(&asker, &place, errno, Reply::errno(errno))
                }
            },
            Ok(false) => self.connect_apart(notification, asker, place, copy, peer),
            Err(error) => Reply::errno(errno::of(&error)),
        }
    }

    fn connect_apart(
        &mut self,
        notification: &Notification,
        asker: Asker,
        place: Place,
        copy: OwnedFd,
        peer: OwnedFd,
    ) -> Reply {
        let listener = Arc::clone(&self.listener);
        let waiting = Arc::clone(&self.waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Reply::errno(libc::EAGAIN);
        }
        let (id, emitter, others) = (notification.id, self.emitter.clone(), Arc::clone(&waiting));
        let failed = self.socket_event(&asker, place.shown(), 0, None);
        let wait = move || {
            let answer = match connect_to(&copy, &peer) {
                Ok(()) => Answer::Value(0),
                Err(error) => {
                    let mut event = failed;
                    event.result = errno::name(errno::of(&error));
                    // Told once as allowed, and once more with what the kernel said to it.
                    let _ = emitter.emit(&Event::SocketUnix(Box::new(event)));
                    Answer::Errno(errno::of(&error))
                }
            };
            // ENOENT: its caller is gone.
            let _ = seccomp::respond(listener.as_fd(), id, answer);
            others.fetch_sub(1, Ordering::Relaxed);
        };
        match std::thread::Builder::new().name("connect".into()).spawn(wait) {
            Ok(_) => Reply::Handed,
            Err(_) => {
                waiting.fetch_sub(1, Ordering::Relaxed);
                Reply::errno(libc::EAGAIN)
            }
        }
    }

    pub(super) fn bind_unix(&mut self, notification: &Notification, asked: &[u8]) -> Reply {
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let entry = match self.entry_of(notification, libc::AT_FDCWD, asked.to_vec()) {
            Ok(entry) => entry,
            Err(Stop::Gone) => return Reply::Gone,
            Err(Stop::Natural(errno) | Stop::Unreadable(errno)) => return Reply::errno(errno),
            Err(Stop::Foreign(_)) => return Reply::errno(libc::EACCES),
        };
        let place = &entry.place;
        if !matches!(place.found, Found::Missing { .. }) {
            return Reply::errno(libc::EADDRINUSE);
        }
        let survey = match self.survey_around(&entry) {
            Ok(survey) => survey,
            Err(error) => return Reply::errno(errno::of(&error)),
        };
        if !survey.held.granted.cover(Rights::MAKE_SOCK) {
            let access = crate::event::FileAccessKind::Create;
            let explained = self.context.explain(&place.path, access, survey.held.granted);
            return self.refuse_socket(&asker, place.shown(), &explained);
        }
        let protected = self.protected_name(&survey, &place.path);
        if let Some(name) = protected {
            let denial = self.context.protected(name);
            return self.refuse_socket(&asker, place.shown(), &denial);
        }
        if self.covers_protected(&survey, &place.path, false) {
            let why = "this name holds protected names: it is a folder or not there";
            return self.refuse_socket(&asker, place.shown(), &never(Reason::FsWriteProtected, why));
        }
        let copy = match self.own_copy(notification, &asker, place) {
            Ok(copy) => copy,
            Err(reply) => return reply,
        };
        if let Err(reply) = self.adopt_umask(notification) {
            return reply;
        }
        let told = self.allow_socket(&asker, place, 0, Reply::CONTINUE);
        if !matches!(told, Reply::Answer(Answer::Continue)) {
            return told;
        }
        match self.bind_at(&copy, &entry) {
            Ok(()) => Reply::Answer(Answer::Value(0)),
            Err(error) => {
                let errno = errno::of(&error);
                self.allow_socket(&asker, place, errno, Reply::errno(errno))
            }
        }
    }

    /// Binds in the folder that was judged, and remembers what came to be there.
    fn bind_at(&mut self, copy: &OwnedFd, entry: &Entry) -> io::Result<()> {
        let name = entry.name();
        // This thread has a working directory of its own: so the address is as long as the name alone.
        nix::unistd::fchdir(name.folder)?;
        let bound = socket::bind(copy.as_fd(), &socket::address(name.name)?);
        nix::unistd::chdir("/")?;
        bound?;
        let made = path::look(name.folder, name.name, Follow::NotLast, ResolveFlag::empty())?;
        let stat = path::stat(made.as_fd())?;
        if stat.mode & libc::S_IFMT == libc::S_IFSOCK {
            self.sockets.remember(stat.inode, made);
        }
        Ok(())
    }

    /// `listen` on a Unix socket: on our copy of it. `None`: it is another kind of socket.
    pub(super) fn listen_unix(&mut self, notification: &Notification) -> Option<Reply> {
        let [fd, backlog, ..] = notification.args;
        let asker = self.asker(notification)?;
        let copy = target::duplicate(asker.pid, fd as i32).ok()?;
        if self.still_waits(notification).is_err() {
            return Some(Reply::Gone);
        }
        if socket::domain(copy.as_fd()).ok()? != libc::AF_UNIX {
            return None;
        }
        Some(match socket::listen(copy.as_fd(), backlog as i32) {
            Ok(()) => Reply::Answer(Answer::Value(0)),
            Err(error) => Reply::errno(errno::of(&error)),
        })
    }

    pub(super) fn refuse_abstract(&mut self, notification: &Notification, name: &[u8]) -> Reply {
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let shown = format!("@{}", crate::event::text(name));
        self.refuse_socket(&asker, shown, &never(Reason::UnixNotListed, ABSTRACT))
    }

    /// Our copy of the caller's socket: a Unix stream, or nothing is done with it.
    fn own_copy(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        place: &Place,
    ) -> Result<OwnedFd, Reply> {
        let copy = target::duplicate(asker.pid, notification.args[0] as i32);
        self.still_waits(notification).map_err(|_| Reply::Gone)?;
        match copy {
            Ok(copy) => match socket::domain(copy.as_fd()) {
                Ok(libc::AF_UNIX) => Ok(copy),
                Ok(_) => Err(Reply::errno(libc::EINVAL)),
                Err(error) => Err(Reply::errno(errno::of(&error))),
            },
            Err(error) if matches!(errno::of(&error), libc::EPERM | libc::ENOSYS | libc::EACCES) => {
                let why = "the system around us lets no process copy another one's descriptors (pidfd_getfd)";
                Err(self.refuse_socket(asker, place.shown(), &never(Reason::NetUnavailable, why)))
            }
            Err(error) => Err(Reply::errno(errno::of(&error))),
        }
    }

    fn allow_socket(&mut self, asker: &Asker, place: &Place, errno: i32, reply: Reply) -> Reply {
        let event = self.socket_event(asker, place.shown(), errno, None);
        self.record(&Event::SocketUnix(Box::new(event)), reply)
    }

    fn refuse_socket(&mut self, asker: &Asker, shown: String, denial: &Denial) -> Reply {
        self.emitter.calls().touch(Touch::Denied);
        let event = self.socket_event(asker, shown, libc::EACCES, Some(denial));
        self.record(&Event::SocketUnix(Box::new(event)), Reply::errno(libc::EACCES))
    }

    fn socket_event(&self, asker: &Asker, path: String, errno: i32, denial: Option<&Denial>) -> SocketUnix {
        let (calls, attribution) = self.emitter.calls().by(asker.pid);
        SocketUnix {
            path,
            verdict: if denial.is_some() { Ruling::Deny } else { Ruling::Allow },
            reason: denial.map(|denial| denial.reason),
            layer: denial.map(|denial| denial.layer),
            remedy: denial.and_then(|denial| denial.remedy.line()).map(str::to_owned),
            why_not: denial.and_then(|denial| denial.remedy.why_not()).map(str::to_owned),
            result: errno::name(errno),
            pid: asker.pid,
            exe: asker.exe.clone(),
            calls,
            attribution,
            count: 1,
        }
    }
}

/// Connects to the very socket that an `O_PATH` descriptor names.
fn connect_to(copy: &OwnedFd, peer: &OwnedFd) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", peer.as_raw_fd());
    socket::connect(copy.as_fd(), &socket::address(path.as_bytes())?)
}

/// Why a socket that is not listed is refused.
fn not_listed(path: &Path) -> Denial {
    match Service::of(path) {
        Some(service) => never(service.reason(), service.danger()),
        None => {
            let shown = crate::event::text(OsStr::as_bytes(path.as_os_str())).into_owned();
            let line = adding("network.unix", &shown);
            denial(Reason::UnixNotListed, Remedy::Line(line))
        }
    }
}
