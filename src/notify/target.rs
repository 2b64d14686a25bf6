//! The process behind a notification: which one, what it runs, where its paths start.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;

use crate::event::text;
use crate::sys::{path, tree};

/// How long a thread is believed to be the one that it was: before its number can be another's, the kernel has to give away
/// all others (`pid_max`, at least 32 768 where nobody lowered it), which takes a hundred times as long.
const SAME: Duration = Duration::from_millis(3);
/// Threads remembered; each holds one descriptor of ours.
const REMEMBERED: usize = 256;

/// One thread of the server's tree, held by its `/proc` folder: when the number is reused, look-ups fail instead of
/// naming another process.
#[derive(Debug)]
pub(super) struct Target {
    folder: OwnedFd,
    /// The process that the thread belongs to.
    pub(super) pid: u32,
    /// Whether it was asked for before.
    met: bool,
    /// The program that it ran when it was last looked at, and when that was.
    ran: Option<(String, Instant)>,
    /// Its file mode creation mask, while nobody changes that.
    umask: Option<u32>,
}

impl Target {
    fn open(tid: u32) -> io::Result<Target> {
        let folder = path::open(format!("/proc/{tid}").as_bytes(), libc::O_PATH | libc::O_DIRECTORY)?;
        let pid = tree::thread_group(tid).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        Ok(Target { folder, pid, met: false, ran: None, umask: None })
    }

    /// The program that it runs now, for the record. An error: this thread is gone.
    fn exe(&mut self) -> io::Result<String> {
        if let Some((exe, at)) = &self.ran
            && at.elapsed() < SAME
        {
            return Ok(exe.clone());
        }
        let exe = text(readlinkat(&self.folder, "exe")?.as_bytes()).into_owned();
        self.ran = Some((exe.clone(), Instant::now()));
        Ok(exe)
    }

    /// Its working directory.
    pub(super) fn working_directory(&self) -> io::Result<OwnedFd> {
        Ok(openat(&self.folder, "cwd", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?)
    }

    /// What it takes away from the mode of a new file.
    fn umask(&self) -> io::Result<u32> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let status = openat(&self.folder, "status", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut head = [0u8; 256];
        let got = nix::unistd::read(&status, &mut head)?;
        let mut lines = head[..got].split(|byte| *byte == b'\n');
        let umask = lines.find_map(|line| line.strip_prefix(b"Umask:")).ok_or_else(gone)?;
        let umask = std::str::from_utf8(umask).map_err(|_| gone())?;
        u32::from_str_radix(umask.trim(), 8).map_err(|_| gone())
    }

    /// What one of its descriptors names.
    pub(super) fn descriptor(&self, fd: i32) -> io::Result<OwnedFd> {
        if fd < 0 {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let name = format!("fd/{fd}");
        openat(&self.folder, name.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(
            |error| {
                // No such entry: the caller has no such descriptor.
                io::Error::from_raw_os_error(if error == nix::errno::Errno::ENOENT {
                    libc::EBADF
                } else {
                    error as i32
                })
            },
        )
    }
}

/// Threads seen before.
#[derive(Debug, Default)]
pub(super) struct Targets {
    known: HashMap<u32, Target>,
    masks: Masks,
}

/// Processes that have called `umask(2)`: theirs is read each time. A process that never did has that of its parent's,
/// for good.
#[derive(Debug, Default)]
struct Masks {
    changing: HashSet<u32>,
    /// Processes share one, or too many change theirs to be told apart.
    any: bool,
}

impl Masks {
    fn lasts(&self, pid: u32) -> bool {
        !self.any && !self.changing.contains(&pid)
    }
}

impl Targets {
    /// The process behind a thread and the program that it runs: what every record begins with; and whether the thread
    /// is asked for the first time. Looks it up anew when the one remembered under this number is gone.
    pub(super) fn ask(&mut self, tid: u32) -> io::Result<(u32, String, bool)> {
        if let Some(known) = self.known.get_mut(&tid)
            && let Ok(exe) = known.exe()
        {
            return Ok((known.pid, exe, !std::mem::replace(&mut known.met, true)));
        }
        self.known.remove(&tid);
        let target = self.meet(tid)?;
        target.met = true;
        // A thread that may not be looked into is recorded all the same.
        Ok((target.pid, target.exe().unwrap_or_else(|_| "?".to_owned()), true))
    }

    /// A process executes another program.
    pub(super) fn executes(&mut self, pid: u32) {
        self.known.values_mut().filter(|target| target.pid == pid).for_each(|target| target.ran = None);
    }

    /// The file mode creation mask of a thread.
    pub(super) fn umask(&mut self, tid: u32) -> io::Result<u32> {
        let Target { pid, umask, .. } = *self.meet(tid)?;
        if let Some(known) = umask.filter(|_| self.masks.lasts(pid)) {
            return Ok(known);
        }
        let target = self.meet(tid)?;
        let umask = target.umask()?;
        target.umask = Some(umask);
        Ok(umask)
    }

    /// A process changes its mask.
    pub(super) fn changes_umask(&mut self, pid: u32) {
        if self.masks.changing.len() < REMEMBERED {
            self.masks.changing.insert(pid);
        } else {
            self.share_umask();
        }
    }

    /// A process is born that shares its mask with its parent (`CLONE_FS`), or nobody can tell any more.
    pub(super) fn share_umask(&mut self) {
        self.masks.any = true;
    }

    /// The target with this number, which was asked before in the same call.
    pub(super) fn get(&mut self, tid: u32) -> io::Result<&Target> {
        self.meet(tid).map(|target| &*target)
    }

    fn meet(&mut self, tid: u32) -> io::Result<&mut Target> {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        match self.known.entry(tid) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(Target::open(tid)?)),
        }
    }
}

/// Our own copy of a descriptor of the target's: the same open file description. Needs `pidfd_getfd(2)`, which an
/// outer filter may refuse.
pub(super) fn duplicate(pid: u32, fd: i32) -> io::Result<OwnedFd> {
    let fd = u32::try_from(fd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    let pidfd = crate::sys::descriptor::pidfd_open(pid)?;
    crate::sys::descriptor::pidfd_getfd(pidfd.as_fd(), fd)
}
