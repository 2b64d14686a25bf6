//! `open(2)`, `openat(2)`, `openat2(2)`, `creat(2)`.

use nix::fcntl::ResolveFlag;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::denial::never;
use crate::notify::metadata::SET_ID;
use crate::notify::place::{Found, Manner, Place};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply, Stop, procfs};
use crate::policy::reason::Reason;
use crate::sandbox::rules::Rights;
use crate::sys::path::{self, Follow};
use crate::sys::seccomp::Notification;
use crate::sys::{errno, memory};

use std::os::fd::AsFd;

/// `struct open_how` of the first version; longer ones must be zero beyond it.
const OPEN_HOW: usize = 24;

/// One request to open, whichever call it came by.
#[derive(Debug, Clone, Copy)]
struct Request {
    dirfd: i32,
    path: u64,
    flags: i32,
    /// Of a file that comes into being.
    mode: u32,
    resolve: ResolveFlag,
}

impl Request {
    fn writes(self) -> bool {
        self.flags & libc::O_ACCMODE != libc::O_RDONLY
    }

    fn creates(self) -> bool {
        self.flags & libc::O_CREAT != 0
    }

    fn truncates(self) -> bool {
        self.flags & libc::O_TRUNC != 0
    }

    /// Only a folder will do.
    fn lists(self) -> bool {
        self.flags & libc::O_DIRECTORY != 0
    }

    fn is_temporary(self) -> bool {
        self.flags & libc::O_TMPFILE == libc::O_TMPFILE
    }

    fn manner(self) -> Manner {
        // O_EXCL with O_CREAT does not follow a last link either.
        let exclusive = self.creates() && self.flags & libc::O_EXCL != 0;
        let not_last = self.flags & libc::O_NOFOLLOW != 0 || exclusive;
        let follow = if not_last { Follow::NotLast } else { Follow::Links };
        Manner { follow, resolve: self.resolve, empty: false }
    }
}

/// What Landlock asks for, and how it is called in the record.
struct Demand {
    rights: Rights,
    kind: FileAccessKind,
}

impl Broker {
    pub(super) fn open(&mut self, notification: &Notification) -> Reply {
        let args = &notification.args;
        self.open_as(notification, args[0], libc::AT_FDCWD, args[1] as i32, args[2])
    }

    pub(super) fn creat(&mut self, notification: &Notification) -> Reply {
        let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
        self.open_as(notification, notification.args[0], libc::AT_FDCWD, flags, notification.args[1])
    }

    pub(super) fn openat(&mut self, notification: &Notification) -> Reply {
        let args = &notification.args;
        self.open_as(notification, args[1], args[0] as i32, args[2] as i32, args[3])
    }

    pub(super) fn openat2(&mut self, notification: &Notification) -> Reply {
        let args = &notification.args;
        let mut how = [0u8; OPEN_HOW];
        let read = memory::read_exact(notification.tid, args[2], &mut how);
        if self.still_waits(notification).is_err() {
            return Reply::Gone;
        }
        if let Err(error) = read {
            // Flags that cannot be read cannot be judged.
            return Reply::errno(errno::of(&error));
        }
        let word = |at: usize| {
            let mut bytes = [0u8; 8];
            bytes.copy_from_slice(&how[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (flags, resolve) = (word(0), ResolveFlag::from_bits_retain(word(16)));
        let mode = word(8) as u32;
        let request = Request { dirfd: args[0] as i32, path: args[1], flags: flags as i32, mode, resolve };
        self.open_request(notification, request)
    }

    fn open_as(
        &mut self,
        notification: &Notification,
        path: u64,
        dirfd: i32,
        flags: i32,
        mode: u64,
    ) -> Reply {
        let request = Request { dirfd, path, flags, mode: mode as u32, resolve: ResolveFlag::empty() };
        self.open_request(notification, request)
    }

    fn open_request(&mut self, notification: &Notification, request: Request) -> Reply {
        if request.flags & libc::O_PATH != 0 {
            // Nothing can be read through it, and Landlock lets it pass too: every later use is judged.
            return Reply::CONTINUE;
        }
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let place = match self.place(notification, request.dirfd, request.path, request.manner()) {
            Ok(place) => place,
            Err(stop) => {
                return self.stopped(notification, &asker, stop, demand_of(request, request.lists()).kind);
            }
        };
        match &place.found {
            Found::Proc { .. } => self.open_proc(&asker, place, request),
            Found::Missing { .. } if !request.creates() => {
                let access = Access::of(
                    &place,
                    demand_of(request, request.lists()).kind,
                    libc::ENOENT,
                    Evidence::Predicted,
                );
                self.allow(&asker, access, Reply::CONTINUE)
            }
            _ => self.open_file(&asker, &place, request),
        }
    }

    fn open_file(&mut self, asker: &Asker, place: &Place, request: Request) -> Reply {
        let demand = match &place.found {
            Found::Existing { stat, .. } if stat.is_symlink() => {
                // O_NOFOLLOW on a link: ELOOP (or EEXIST), whatever the rules say.
                return Reply::CONTINUE;
            }
            Found::Existing { stat, .. } => demand_of(request, stat.is_dir()),
            _ => Demand {
                rights: Rights::MAKE_REG.and(demand_of(request, false).rights),
                kind: FileAccessKind::Create,
            },
        };
        let held = if demand.rights == Rights::READ_FILE {
            self.rights_to_read(place)
        } else {
            self.rights_at(place, demand.rights)
        };
        let held = match held {
            Ok(held) => held,
            Err(error) => return self.unjudged(asker, place, demand.kind, &error),
        };
        if !held.cover(demand.rights) {
            let denial = self.context.explain(&place.path, demand.kind, held);
            let access = Access::of(place, demand.kind, libc::EACCES, Evidence::Performed);
            return self.refuse(asker, access, &denial);
        }
        if request.writes() || request.creates() || request.truncates() {
            if let Some(name) = self.protected_name(place) {
                let denial = self.context.protected(name);
                let access = Access::of(place, demand.kind, libc::EACCES, Evidence::Performed);
                return self.refuse(asker, access, &denial);
            }
            if matches!(place.found, Found::Missing { .. }) && self.covers_protected(place) {
                return self.refuse_protected_parent(asker, place, demand.kind);
            }
        }
        // Also where the file is there already: it may be gone before the kernel looks.
        if (request.creates() || request.is_temporary()) && request.mode & SET_ID != 0 {
            return self.refuse_set_id(asker, place, demand.kind);
        }
        let errno = permission(place, request);
        self.allow(asker, Access::of(place, demand.kind, errno, Evidence::Predicted), Reply::CONTINUE)
    }

    fn open_proc(&mut self, asker: &Asker, place: Place, request: Request) -> Reply {
        let Found::Proc { fd } = &place.found else { return Reply::errno(libc::EACCES) };
        let kind = demand_of(request, request.lists()).kind;
        let changes = request.writes() || request.creates() || request.truncates();
        let served = !changes && self.may_serve(&place);
        if !served {
            let why = "a rule on /proc would show every process of the user; only what a process needs of itself \
                       and of the machine is served";
            let denial = never(Reason::FsProc, why);
            return self.refuse(asker, Access::of(&place, kind, libc::EACCES, Evidence::Performed), &denial);
        }
        match procfs::open_for_reading(fd.as_fd(), request.flags) {
            Ok(opened) => {
                let close_on_exec = request.flags & libc::O_CLOEXEC != 0;
                let reply = Reply::Descriptor { fd: opened, close_on_exec };
                self.allow(asker, Access::of(&place, kind, 0, Evidence::Performed), reply)
            }
            Err(error) => {
                let errno = errno::of(&error);
                let access = Access::of(&place, kind, errno, Evidence::Performed);
                self.allow(asker, access, Reply::errno(errno))
            }
        }
    }

    /// On the list, and of the machine or of a process of the tree.
    fn may_serve(&self, place: &Place) -> bool {
        match procfs::served(&place.path) {
            None => false,
            Some(None) => true,
            Some(Some(pid)) => pid != self.init && crate::sys::tree::is_below(pid, self.init),
        }
    }

    /// A look-up that ended early.
    pub(super) fn stopped(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        stop: Stop,
        kind: FileAccessKind,
    ) -> Reply {
        let nowhere = |errno, evidence, path: &str| Access {
            place: None,
            path: path.to_owned(),
            kind,
            errno,
            evidence,
        };
        match stop {
            Stop::Gone => Reply::Gone,
            // The kernel answers this itself before any rule: ENOTDIR, ELOOP, EACCES of the permission bits …
            Stop::Natural(libc::EFAULT | libc::ENAMETOOLONG) => Reply::CONTINUE,
            Stop::Natural(_) => Reply::CONTINUE,
            Stop::Unreadable(errno) => {
                tracing::debug!(tid = notification.tid, errno, "a path could not be read");
                // Landlock decides; the record says that we could not look.
                self.allow(asker, nowhere(0, Evidence::Unreadable, "?"), Reply::CONTINUE)
            }
            Stop::Foreign(path) => {
                let why = "another process's files in /proc are that process's secrets";
                let denial = never(Reason::FsProc, why);
                let shown = crate::event::text(path.as_os_str().as_encoded_bytes());
                let access = nowhere(libc::EACCES, Evidence::Performed, &shown);
                self.refuse(asker, access, &denial)
            }
        }
    }

    /// Something broke while looking: refused.
    pub(super) fn unjudged(
        &mut self,
        asker: &Asker,
        place: &Place,
        kind: FileAccessKind,
        error: &std::io::Error,
    ) -> Reply {
        let denial = never(Reason::FsUnreadable, &format!("the path could not be judged: {error}"));
        self.refuse(asker, Access::of(place, kind, libc::EACCES, Evidence::Performed), &denial)
    }
}

fn demand_of(request: Request, is_dir: bool) -> Demand {
    let mut rights = Rights::default();
    if request.flags & libc::O_ACCMODE != libc::O_WRONLY {
        let listed = is_dir && !request.is_temporary();
        rights = rights.and(if listed { Rights::READ_DIR } else { Rights::READ_FILE });
    }
    if request.writes() {
        rights = rights.and(Rights::WRITE_FILE);
    }
    if request.truncates() {
        rights = rights.and(Rights::TRUNCATE);
    }
    let kind = if request.is_temporary() {
        FileAccessKind::Create
    } else if request.truncates() && !request.writes() {
        FileAccessKind::Truncate
    } else if request.writes() {
        FileAccessKind::Write
    } else if is_dir {
        FileAccessKind::List
    } else {
        FileAccessKind::Read
    };
    Demand { rights, kind }
}

/// What the permission bits will say, for the record; 0 when they allow it.
fn permission(place: &Place, request: Request) -> i32 {
    let Found::Existing { fd, stat } = &place.found else { return 0 };
    // Everybody may read most files: no need to ask.
    if request.flags & libc::O_ACCMODE == libc::O_RDONLY && stat.mode & 0o444 == 0o444 {
        return 0;
    }
    let mode = match request.flags & libc::O_ACCMODE {
        libc::O_RDONLY => libc::R_OK,
        libc::O_WRONLY => libc::W_OK,
        _ => libc::R_OK | libc::W_OK,
    };
    path::may(fd.as_fd(), mode).map_or_else(|error| errno::of(&error), |()| 0)
}
