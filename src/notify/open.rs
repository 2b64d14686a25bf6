//! `open(2)`, `openat(2)`, `openat2(2)`, `creat(2)`.
//!
//! Reads are predicted and continued. What writes or creates in a guarded grant is opened here, and the caller gets
//! the descriptor: on the file that was judged, or under a name that did not exist, in the folder that was judged.

use nix::fcntl::ResolveFlag;

use crate::event::{Evidence, FileAccessKind};
use crate::notify::denial::never;
use crate::notify::entry::Entry;
use crate::notify::metadata::SET_ID;
use crate::notify::place::{self, Found, Manner, Place};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply, procfs};
use crate::policy::reason::Reason;
use crate::sandbox::rules::Rights;
use crate::sys::names::{self, Name};
use crate::sys::path::{self, Follow};
use crate::sys::seccomp::Notification;
use crate::sys::{errno, memory};

use std::os::fd::AsFd;
use std::path::Path;

/// `struct open_how` of the first version; longer ones must be zero beyond it.
const OPEN_HOW: usize = 24;
/// Looks at a name that comes and goes.
const MOST_OVERTAKEN: u8 = 8;

/// One request to open, whichever call it came by.
#[derive(Debug, Clone, Copy)]
struct Request {
    dirfd: i32,
    path: u64,
    flags: i32,
    /// Of a file that comes into being.
    mode: u32,
    resolve: ResolveFlag,
    /// Asks in a way that we do not know: the kernel's to answer.
    odd: bool,
    /// How often a name was taken by somebody else between our look and the act.
    overtaken: u8,
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

    fn only_reads(self) -> bool {
        !self.writes() && !self.creates() && !self.truncates() && !self.lists()
    }

    /// Only a folder will do.
    fn lists(self) -> bool {
        self.flags & libc::O_DIRECTORY != 0
    }

    /// A name that is not there must not be found there.
    fn is_exclusive(self) -> bool {
        self.creates() && self.flags & libc::O_EXCL != 0
    }

    /// A plain name that must not be there yet: its folder is all that has to be found.
    fn makes_new(self, asked: &[u8]) -> bool {
        self.is_exclusive()
            && self.resolve.is_empty()
            && asked.last() != Some(&b'/')
            && place::split(asked).is_some()
    }

    /// Anything but looking at what is there.
    fn changes(self) -> bool {
        self.writes() || self.creates() || self.truncates() || self.is_temporary()
    }

    fn is_temporary(self) -> bool {
        self.flags & libc::O_TMPFILE == libc::O_TMPFILE
    }

    fn manner(self) -> Manner {
        // O_EXCL with O_CREAT does not follow a last link either.
        let not_last = self.flags & libc::O_NOFOLLOW != 0 || self.is_exclusive();
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
        if args[3] < OPEN_HOW as u64 {
            return Reply::errno(libc::EINVAL);
        }
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
        let makes = flags as i32 & libc::O_CREAT != 0 || flags as i32 & libc::O_TMPFILE == libc::O_TMPFILE;
        let odd_mode = word(8) & !0o7777 != 0 || mode != 0 && !makes;
        if flags >> 32 != 0 || odd_mode {
            return Reply::errno(libc::EINVAL);
        }
        let odd = args[3] != OPEN_HOW as u64;
        let dirfd = args[0] as i32;
        let request = Request { dirfd, path: args[1], flags: flags as i32, mode, resolve, odd, overtaken: 0 };
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
        let (mode, resolve) = (mode as u32, ResolveFlag::empty());
        let request = Request { dirfd, path, flags, mode, resolve, odd: false, overtaken: 0 };
        self.open_request(notification, request)
    }

    fn open_request(&mut self, notification: &Notification, request: Request) -> Reply {
        if request.flags & libc::O_PATH != 0 {
            // Nothing can be read through it, and Landlock lets it pass too: every later use is judged.
            return Reply::CONTINUE;
        }
        if request.creates() && request.lists() && !request.is_temporary() {
            // EINVAL.
            return Reply::CONTINUE;
        }
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let kind = demand_of(request, request.lists()).kind;
        let asked = match self.read_path(notification, request.path) {
            Ok(asked) => asked,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        if request.only_reads()
            && request.flags & libc::O_NOFOLLOW == 0
            && request.resolve.is_empty()
            && let Some(reply) = self.open_settled(&asker, &asked)
        {
            return reply;
        }
        if request.makes_new(&asked) {
            match self.entry_of(notification, request.dirfd, asked.clone()) {
                Ok(entry) => {
                    if let Some(reply) = self.open_new(notification, &asker, &entry, request) {
                        return reply;
                    }
                }
                Err(stop) => return self.stopped(notification, &asker, stop, kind),
            }
        }
        let place = match self.look_up(notification, request.dirfd, asked, request.manner()) {
            Ok(place) => place,
            Err(stop) => return self.stopped(notification, &asker, stop, kind),
        };
        if let Some(network) = self.network.clone()
            && request.only_reads()
            && let Some(file) = self.own_files.which(&place)
        {
            let close_on_exec = request.flags & libc::O_CLOEXEC != 0;
            return self.inject(notification, &asker, &place, (file, close_on_exec), &network);
        }
        match &place.found {
            Found::Proc { .. } => self.open_proc(&asker, place, request),
            Found::Missing { .. } if !request.creates() => {
                // Somebody may make it before the kernel looks, and it cannot open for writing what is guarded.
                let (evidence, reply) = match request.changes() {
                    true => (Evidence::Performed, Reply::errno(libc::ENOENT)),
                    false => (Evidence::Predicted, Reply::CONTINUE),
                };
                self.allow(&asker, Access::of(&place, kind, libc::ENOENT, evidence), reply)
            }
            _ => self.open_file(notification, &asker, &place, request),
        }
    }

    /// Makes what must not be there yet; `None`: it is there, and has to be looked at.
    fn open_new(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        entry: &Entry,
        request: Request,
    ) -> Option<Reply> {
        match &entry.place.found {
            Found::Missing { .. } => Some(self.open_file(notification, asker, &entry.place, request)),
            Found::Named { stat } => {
                let survey = self.survey_around(entry).ok()?;
                let demand = demand_of(request, stat.is_dir());
                let ours = survey.guarded.is_some() && survey.held.granted.cover(demand.rights);
                (ours && request.mode & SET_ID == 0).then(|| Reply::errno(libc::EEXIST))
            }
            Found::Existing { .. } | Found::Proc { .. } => None,
        }
    }

    fn open_file(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        place: &Place,
        request: Request,
    ) -> Reply {
        let demand = match &place.found {
            Found::Existing { stat, .. } if stat.is_symlink() => {
                // O_NOFOLLOW on a link: ELOOP (or EEXIST), whatever the rules say.
                return Reply::CONTINUE;
            }
            // ENOTDIR, before any rule.
            Found::Existing { stat, .. } if request.lists() && !stat.is_dir() => return Reply::CONTINUE,
            Found::Existing { stat, .. } => demand_of(request, stat.is_dir()),
            _ => Demand {
                rights: Rights::MAKE_REG.and(demand_of(request, false).rights),
                kind: FileAccessKind::Create,
            },
        };
        if request.changes() {
            return self.open_to_change(notification, asker, place, request, &demand);
        }
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
            return self.refuse_change(asker, place, demand.kind, held);
        }
        let errno = permission(place, request);
        self.allow(asker, Access::of(place, demand.kind, errno, Evidence::Predicted), Reply::CONTINUE)
    }

    fn open_to_change(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        place: &Place,
        request: Request,
        demand: &Demand,
    ) -> Reply {
        let survey = match self.survey_of(place) {
            Ok(survey) => survey,
            Err(error) => return self.unjudged(asker, place, demand.kind, &error),
        };
        if !survey.held.granted.cover(demand.rights) {
            return self.refuse_change(asker, place, demand.kind, survey.held.granted);
        }
        if let Some(name) = self.protected_name(&survey, &place.path) {
            if request.is_exclusive() && matches!(place.found, Found::Existing { .. }) {
                // EEXIST.
                return Reply::CONTINUE;
            }
            return self.refuse_protected(asker, place, demand.kind, name);
        }
        let is_missing = matches!(place.found, Found::Missing { .. });
        let writes = request.writes() || request.truncates();
        if is_missing && self.covers_protected(&survey, &place.path, false)
            || writes && !request.is_exclusive() && self.leads_elsewhere(&survey, place)
        {
            return self.refuse_protected_parent(asker, place, demand.kind);
        }
        // Also where the file is there already: it may be gone before the kernel looks.
        if (request.creates() || request.is_temporary()) && request.mode & SET_ID != 0 {
            return self.refuse_set_id(asker, place, demand.kind);
        }
        // A file that is there may be gone before the kernel looks, and it cannot make one in a guarded folder.
        let may_make = request.creates() && survey.guarded.is_some();
        if survey.is_ours(demand.rights) || may_make && survey.is_ours(Rights::MAKE_REG) {
            return self.open_here(notification, asker, place, request, demand.kind);
        }
        let errno = permission(place, request);
        self.allow(asker, Access::of(place, demand.kind, errno, Evidence::Predicted), Reply::CONTINUE)
    }

    /// Opens it for the caller.
    fn open_here(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        place: &Place,
        request: Request,
        kind: FileAccessKind,
    ) -> Reply {
        let close_on_exec = request.flags & libc::O_CLOEXEC != 0;
        if request.odd {
            return Reply::CONTINUE;
        }
        if self.emitter.ready().is_err() {
            return Reply::errno(libc::EIO);
        }
        let there = request.flags & !(libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW);
        match &place.found {
            Found::Existing { .. } if request.is_exclusive() => Reply::errno(libc::EEXIST),
            Found::Existing { fd, stat } => match stat.mode & libc::S_IFMT {
                libc::S_IFREG => {
                    self.perform_open(asker, place, kind, close_on_exec, || names::reopen(fd.as_fd(), there))
                }
                libc::S_IFDIR if request.is_temporary() => match self.adopt_umask(notification) {
                    Ok(()) => self.perform_open(asker, place, kind, close_on_exec, || {
                        names::create_nameless(fd.as_fd(), request.flags, request.mode & 0o7777)
                    }),
                    Err(reply) => reply,
                },
                // EISDIR.
                libc::S_IFDIR => Reply::CONTINUE,
                libc::S_IFIFO => match fd.try_clone() {
                    Ok(fd) => self.open_pipe(notification, asker, place, kind, (fd, there)),
                    Err(error) => self.unjudged(asker, place, kind, &error),
                },
                libc::S_IFSOCK => Reply::errno(libc::ENXIO),
                _ => self.refuse_device(asker, place, kind),
            },
            Found::Missing { parent } => {
                let name = place.path.file_name().unwrap_or_default().as_encoded_bytes();
                if place.asked.last() == Some(&b'/') {
                    // EISDIR.
                    return Reply::CONTINUE;
                }
                if let Err(reply) = self.adopt_umask(notification) {
                    return reply;
                }
                let at = Name { folder: parent.as_fd(), name };
                // Never a file that somebody else made since: that one was not judged.
                match names::create(at, request.flags & !libc::O_NOFOLLOW, request.mode & 0o7777) {
                    Err(error)
                        if errno::of(&error) == libc::EEXIST
                            && !request.is_exclusive()
                            && request.overtaken < MOST_OVERTAKEN =>
                    {
                        let overtaken = request.overtaken + 1;
                        self.open_request(notification, Request { overtaken, ..request })
                    }
                    created => self.perform_open(asker, place, kind, close_on_exec, || created),
                }
            }
            Found::Named { .. } | Found::Proc { .. } => Reply::errno(libc::EACCES),
        }
    }

    fn open_proc(&mut self, asker: &Asker, place: Place, request: Request) -> Reply {
        let Found::Proc { fd } = &place.found else { return Reply::errno(libc::EACCES) };
        let kind = demand_of(request, request.lists()).kind;
        let changes = request.writes() || request.creates() || request.truncates();
        // Listing /proc tells the numbers of processes, which stat(2) tells one by one anyway; what is opened below it is
        // judged like everything there, and Landlock has no rule for it.
        let root = self.lists_proc && place.path == Path::new(procfs::ROOT);
        let served = !changes && (root || self.may_serve(&place));
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
