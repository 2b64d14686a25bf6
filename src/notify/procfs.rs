//! `/proc` without a Landlock rule on it: what is served, and the slow, component-wise look-up behind it.
//!
//! A rule on `/proc` would show every process of the user. The broker opens what is on the list below itself and
//! hands the descriptor over. `self` means the *caller* here, never us; magic links (`exe`, `cwd`, `fd/N`) lead
//! where the caller's lead. See `proc(5)`.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{OFlag, ResolveFlag, openat};
use nix::sys::stat::Mode;

use crate::notify::place::{Found, MOST_LINKS, Manner, Place, existing};
use crate::notify::{Broker, Stop};
use crate::sys::path::{self, Follow, Stat};
use crate::sys::seccomp::Notification;
use crate::sys::{errno, tree};

/// `/proc` itself.
pub(super) const ROOT: &str = "/proc";

/// The inode of `/proc` itself (`PROC_ROOT_INO`).
const PROC_ROOT: u64 = 1;

/// Files that tell about the machine and not about other processes.
#[rustfmt::skip]
const MACHINE: &[&str] = &[
    "cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version",
    "sys/crypto/fips_enabled", "sys/fs/file-max", "sys/fs/nr_open", "sys/fs/pipe-max-size",
    "sys/fs/inotify/max_queued_events", "sys/fs/inotify/max_user_instances", "sys/fs/inotify/max_user_watches",
    "sys/kernel/cap_last_cap", "sys/kernel/ngroups_max", "sys/kernel/osrelease", "sys/kernel/ostype",
    "sys/kernel/pid_max", "sys/kernel/random/boot_id", "sys/kernel/random/entropy_avail",
    "sys/kernel/random/uuid", "sys/kernel/threads-max", "sys/kernel/version",
    "sys/net/core/somaxconn", "sys/vm/max_map_count", "sys/vm/mmap_min_addr", "sys/vm/overcommit_memory",
];

/// What a process of the tree may see of itself and of the rest of the tree. Not `mem`, not `root`, not `ns`.
#[rustfmt::skip]
const PROCESS: &[&str] = &[
    "", "auxv", "cgroup", "cmdline", "comm", "cpuset", "environ", "fd", "fdinfo", "io", "limits", "loginuid", "maps",
    "mountinfo", "mounts", "oom_score", "oom_score_adj", "personality", "sched", "schedstat", "sessionid", "smaps",
    "smaps_rollup", "stat", "statm", "status", "task", "wchan",
];

/// Whether an open for reading of this canonical path is served; the number is the process that it belongs to.
pub(super) fn served(path: &Path) -> Option<Option<u32>> {
    let inside = path.strip_prefix("/proc").ok()?.to_str()?;
    if MACHINE.contains(&inside) {
        return Some(None);
    }
    let (pid, rest) = inside.split_once('/').unwrap_or((inside, ""));
    let pid: u32 = pid.parse().ok()?;
    let rest = match rest.strip_prefix("task/") {
        Some(thread) => thread.split_once('/').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let listed = PROCESS.contains(&rest) || rest.strip_prefix("fdinfo/").is_some_and(|fd| !fd.contains('/'));
    listed.then_some(Some(pid))
}

/// Opens for real what an `O_PATH` descriptor names, for reading alone.
pub(super) fn open_for_reading(fd: BorrowedFd<'_>, flags: i32) -> std::io::Result<OwnedFd> {
    let kept = flags & (libc::O_DIRECTORY | libc::O_NONBLOCK);
    path::open(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_bytes(), libc::O_RDONLY | kept)
}

/// One look-up, component by component.
struct Walk<'a> {
    broker: &'a Broker,
    tid: u32,
    pid: u32,
    at: OwnedFd,
    stat: Stat,
    rest: VecDeque<Vec<u8>>,
    links: usize,
}

/// Looks `asked` up with the caller's `self`.
pub(super) fn walk(
    broker: &mut Broker,
    notification: &Notification,
    base: BorrowedFd<'_>,
    asked: &[u8],
    manner: Manner,
) -> Result<Place, Stop> {
    let restricted =
        ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_XDEV;
    if manner.resolve.intersects(restricted) {
        // Rare, and the kernel's own answer to these never depends on rules: no way that needs no prediction.
        return Err(Stop::Foreign(PathBuf::from(OsString::from_vec(asked.to_vec()))));
    }
    let pid = broker.targets.get(notification.tid).map_err(|_| Stop::Gone)?.pid;
    broker.still_waits(notification)?;
    let at = base.try_clone_to_owned().map_err(natural)?;
    let stat = path::stat(at.as_fd()).map_err(natural)?;
    let rest = components(asked);
    let mut walk = Walk { broker, tid: notification.tid, pid, at, stat, rest, links: 0 };
    let missing = walk.run(asked.last() == Some(&b'/'), manner)?;
    let Walk { at, stat, .. } = walk;
    broker.still_waits(notification)?;
    let path = path::path_of(at.as_fd()).map_err(natural)?;
    if let Some(name) = missing {
        let path = path.join(OsString::from_vec(name));
        return Ok(Place { found: Found::Missing { parent: Arc::new(at) }, path, asked: Vec::new() });
    }
    if stat.inode.dev == broker.proc_device {
        return Ok(Place { found: Found::Proc { fd: at }, path, asked: Vec::new() });
    }
    existing(at, stat)
}

fn natural(error: impl Into<std::io::Error>) -> Stop {
    Stop::Natural(errno::of(&error.into()))
}

fn components(path: &[u8]) -> VecDeque<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

impl Walk<'_> {
    /// Goes to the end. `Some(name)`: the last component does not exist in the folder reached.
    fn run(&mut self, folder: bool, manner: Manner) -> Result<Option<Vec<u8>>, Stop> {
        while let Some(name) = self.rest.pop_front() {
            if name == b".." {
                self.enter(open_at(self.at.as_fd(), b"..", 0)?)?;
                continue;
            }
            let name = self.of_caller(name)?;
            let child = match open_at(self.at.as_fd(), &name, libc::O_NOFOLLOW) {
                Ok(child) => child,
                Err(Stop::Natural(libc::ENOENT)) if self.rest.is_empty() && !self.in_proc() => {
                    return Ok(Some(name));
                }
                Err(stop) => return Err(stop),
            };
            let stat = path::stat(child.as_fd()).map_err(natural)?;
            let last = self.rest.is_empty();
            if !stat.is_symlink() || (last && manner.follow == Follow::NotLast && !folder) {
                (self.at, self.stat) = (child, stat);
                continue;
            }
            if manner.resolve.contains(ResolveFlag::RESOLVE_NO_SYMLINKS) {
                return Err(Stop::Natural(libc::ELOOP));
            }
            self.links += 1;
            if self.links > MOST_LINKS {
                return Err(Stop::Natural(libc::ELOOP));
            }
            self.follow(&name, child, manner)?;
        }
        Ok(None)
    }

    /// Refused at `name`: where that is, and what was to come after it.
    fn foreign(&self, name: &[u8]) -> Stop {
        let mut path = path::path_of(self.at.as_fd()).unwrap_or_else(|_| PathBuf::from("/proc"));
        path.push(OsStr::from_bytes(name));
        path.extend(self.rest.iter().map(|part| OsStr::from_bytes(part)));
        Stop::Foreign(path)
    }

    fn in_proc(&self) -> bool {
        self.stat.inode.dev == self.broker.proc_device
    }

    fn enter(&mut self, fd: OwnedFd) -> Result<(), Stop> {
        self.stat = path::stat(fd.as_fd()).map_err(natural)?;
        self.at = fd;
        Ok(())
    }

    /// In `/proc` itself: `self` is the caller, and numbers must be of its tree.
    fn of_caller(&mut self, name: Vec<u8>) -> Result<Vec<u8>, Stop> {
        if !self.in_proc() || self.stat.inode.ino != PROC_ROOT {
            return Ok(name);
        }
        if name == b"self" {
            return Ok(self.pid.to_string().into_bytes());
        }
        if name == b"thread-self" {
            self.rest.push_front(self.tid.to_string().into_bytes());
            self.rest.push_front(b"task".to_vec());
            return Ok(self.pid.to_string().into_bytes());
        }
        let Some(pid) = std::str::from_utf8(&name).ok().and_then(|name| name.parse::<u32>().ok()) else {
            return Ok(name);
        };
        let group = tree::thread_group(pid).unwrap_or(pid);
        let ours = group == self.pid || tree::is_below(group, self.broker.init);
        if ours && group != self.broker.init { Ok(name) } else { Err(self.foreign(&name)) }
    }

    fn follow(&mut self, name: &[u8], link: OwnedFd, manner: Manner) -> Result<(), Stop> {
        if self.in_proc() && self.is_magic(name)? {
            if manner.resolve.contains(ResolveFlag::RESOLVE_NO_MAGICLINKS) {
                return Err(Stop::Natural(libc::ELOOP));
            }
            // Followed by the kernel: the caller's file itself, whatever it is called by now.
            let target = open_at(self.at.as_fd(), name, 0).map_err(|stop| match stop {
                // A process that we may not look into is not of the tree.
                Stop::Natural(libc::EACCES) => self.foreign(name),
                stop => stop,
            })?;
            return self.enter(target);
        }
        let to = path::read_link(link.as_fd()).map_err(natural)?;
        let to = to.as_os_str().as_bytes();
        if to.first() == Some(&b'/') {
            let root = self.broker.root.try_clone().map_err(natural)?;
            self.enter(root)?;
        }
        for part in components(to).into_iter().rev() {
            self.rest.push_front(part);
        }
        Ok(())
    }

    /// Links below `/proc/PID` whose text is not where they lead.
    fn is_magic(&self, name: &[u8]) -> Result<bool, Stop> {
        let here = path::path_of(self.at.as_fd()).map_err(natural)?;
        if here == Path::new(ROOT) {
            return Ok(false);
        }
        let folder = here.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
        match (folder, name) {
            (b"ns" | b"map_files", _) | (_, b"root") => Err(self.foreign(name)),
            (b"fd", _) | (_, b"exe" | b"cwd") => Ok(true),
            _ => Ok(false),
        }
    }
}

fn open_at(base: BorrowedFd<'_>, name: &[u8], flags: i32) -> Result<OwnedFd, Stop> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::from_bits_truncate(flags);
    openat(base, name, flags, Mode::empty()).map_err(natural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_narrow() {
        let served = |path: &str| served(Path::new(path));
        assert_eq!(served("/proc/meminfo"), Some(None));
        assert_eq!(served("/proc/17/status"), Some(Some(17)));
        assert_eq!(served("/proc/17/task/18/stat"), Some(Some(17)));
        assert_eq!(served("/proc/17/task/18"), Some(Some(17)));
        assert_eq!(served("/proc/17/fd"), Some(Some(17)));
        assert_eq!(served("/proc/17/fdinfo/3"), Some(Some(17)));
        for no in [
            "/proc",
            "/proc/17/mem",
            "/proc/17/root",
            "/proc/17/ns/net",
            "/proc/kcore",
            "/proc/net/tcp",
            "/proc/17/net/tcp",
            "/proc/sys/kernel/core_pattern",
            "/proc/17/attr/current",
            "/etc/passwd",
            "/proc/17/pagemap",
            "/proc/17/fdinfo/3/x",
        ] {
            assert_eq!(served(no), None, "{no}");
        }
    }
}
