//! Where a path of the server's leads: canonicalised on our side, with its own starting points.
//!
//! The fast way is one `openat2(2)` with `O_PATH`. It refuses magic links, which would be *ours* if we followed
//! them; those paths, and what ends in `/proc`, go the slow way in `procfs`.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::ResolveFlag;

use crate::notify::place::{Found, MOST_LINKS, Manner, Place, existing, split};
use crate::notify::{Broker, Stop, procfs};
use crate::sys::path::{self, Follow};
use crate::sys::seccomp::Notification;
use crate::sys::{errno, memory};

/// `PATH_MAX` without the NUL.
const LONGEST_PATH: usize = 4095;

impl Broker {
    /// Reads a path of the caller's and looks it up.
    pub(super) fn place(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        address: u64,
        manner: Manner,
    ) -> Result<Place, Stop> {
        let asked = self.read_path(notification, address)?;
        self.look_up(notification, dirfd, asked, manner)
    }

    /// Reads a path of the caller's.
    pub(super) fn read_path(&self, notification: &Notification, address: u64) -> Result<Vec<u8>, Stop> {
        let asked = memory::read_c_string(notification.tid, address, LONGEST_PATH);
        self.still_waits(notification)?;
        asked.map_err(|error| match errno::of(&error) {
            errno @ (libc::EFAULT | libc::ENAMETOOLONG) => Stop::Natural(errno),
            errno => Stop::Unreadable(errno),
        })
    }

    /// Looks a path up that was read before.
    pub(super) fn look_up(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        asked: Vec<u8>,
        manner: Manner,
    ) -> Result<Place, Stop> {
        let base = self.base(notification, dirfd, &asked, manner)?;
        if asked.is_empty() {
            if !manner.empty {
                return Err(Stop::Natural(libc::ENOENT));
            }
            let own = base.try_clone().map_err(|error| Stop::Natural(errno::of(&error)))?;
            return self.of_descriptor(own);
        }
        let mut place = self.resolve(notification, base.as_fd(), &asked, manner)?;
        place.asked = asked;
        Ok(place)
    }

    /// What one of the caller's descriptors names.
    pub(super) fn place_of_descriptor(
        &mut self,
        notification: &Notification,
        fd: i32,
    ) -> Result<Place, Stop> {
        let target = self.targets.get(notification.tid).map_err(|_| Stop::Gone)?;
        let opened = target.descriptor(fd);
        self.still_waits(notification)?;
        self.of_descriptor(opened.map_err(|error| Stop::Natural(errno::of(&error)))?)
    }

    fn base(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        asked: &[u8],
        manner: Manner,
    ) -> Result<Arc<OwnedFd>, Stop> {
        let in_root = manner.resolve.contains(ResolveFlag::RESOLVE_IN_ROOT);
        if asked.first() == Some(&b'/') && !in_root {
            return Ok(Arc::clone(&self.root));
        }
        let target = self.targets.get(notification.tid).map_err(|_| Stop::Gone)?;
        let opened =
            if dirfd == libc::AT_FDCWD { target.working_directory() } else { target.descriptor(dirfd) };
        self.still_waits(notification)?;
        opened.map(Arc::new).map_err(|error| Stop::Natural(errno::of(&error)))
    }

    fn resolve(
        &mut self,
        notification: &Notification,
        base: BorrowedFd<'_>,
        asked: &[u8],
        manner: Manner,
    ) -> Result<Place, Stop> {
        // An absolute path starts at the root, which is no /proc.
        let base_is_proc = asked.first() != Some(&b'/')
            && path::stat(base).is_ok_and(|stat| stat.inode.dev == self.proc_device);
        if base_is_proc {
            return procfs::walk(self, notification, base, asked, manner);
        }
        match path::look(base, asked, manner.follow, manner.resolve) {
            Ok(fd) => {
                let stat = path::stat(fd.as_fd()).map_err(|error| Stop::Natural(errno::of(&error)))?;
                if stat.inode.dev == self.proc_device {
                    return procfs::walk(self, notification, base, asked, manner);
                }
                existing(fd, stat)
            }
            Err(error) => match errno::of(&error) {
                // A magic link on the way (one that we may not follow is EACCES), or a real loop, or permission bits:
                // the slow way tells them apart.
                libc::ELOOP | libc::EACCES => procfs::walk(self, notification, base, asked, manner),
                libc::ENOENT => self.missing(base, asked, manner, 0),
                errno => Err(Stop::Natural(errno)),
            },
        }
    }

    /// Something on the way does not exist. When it is the last component alone, that is where something could be
    /// created; a symbolic link there that leads nowhere is followed by hand.
    fn missing(
        &self,
        base: BorrowedFd<'_>,
        asked: &[u8],
        manner: Manner,
        links: usize,
    ) -> Result<Place, Stop> {
        let (folder, name) = split(asked).ok_or(Stop::Natural(libc::ENOENT))?;
        if links > MOST_LINKS {
            return Err(Stop::Natural(libc::ELOOP));
        }
        let parent =
            path::look(base, folder, Follow::Links, manner.resolve).map_err(|error| {
                match errno::of(&error) {
                    libc::ELOOP => Stop::Foreign(PathBuf::from(OsString::from_vec(asked.to_vec()))),
                    errno => Stop::Natural(errno),
                }
            })?;
        let stat = path::stat(parent.as_fd()).map_err(|error| Stop::Natural(errno::of(&error)))?;
        if stat.inode.dev == self.proc_device {
            return Err(Stop::Natural(libc::ENOENT));
        }
        if manner.follow == Follow::Links
            && let Ok(link) = path::look(parent.as_fd(), name, Follow::NotLast, ResolveFlag::empty())
        {
            if !manner.resolve.is_empty() {
                // Rare: the kernel finds the errno itself, and changes nothing where the broker would have to.
                return Err(Stop::Natural(libc::ELOOP));
            }
            let to = path::read_link(link.as_fd()).map_err(|error| Stop::Natural(errno::of(&error)))?;
            let to = to.into_os_string().into_vec();
            let base = if to.first() == Some(&b'/') { self.root.try_clone() } else { parent.try_clone() };
            let base = base.map_err(|error| Stop::Natural(errno::of(&error)))?;
            return self.missing(base.as_fd(), &to, manner, links + 1);
        }
        let folder = path::path_of(parent.as_fd()).map_err(|error| Stop::Natural(errno::of(&error)))?;
        let path = folder.join(OsString::from_vec(name.to_vec()));
        Ok(Place { found: Found::Missing { parent: Arc::new(parent) }, path, asked: Vec::new() })
    }

    fn of_descriptor(&self, fd: OwnedFd) -> Result<Place, Stop> {
        let stat = path::stat(fd.as_fd()).map_err(|error| Stop::Natural(errno::of(&error)))?;
        if stat.inode.dev == self.proc_device {
            let path = path::path_of(fd.as_fd()).map_err(|error| Stop::Natural(errno::of(&error)))?;
            return Ok(Place { found: Found::Proc { fd }, path, asked: Vec::new() });
        }
        let mut place = existing(fd, stat)?;
        place.asked = place.path.as_os_str().as_bytes().to_vec();
        Ok(place)
    }
}
