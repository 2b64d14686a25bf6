//! A name in a folder, for the calls that change names: the folder is opened first, and both the judgement and the
//! act rest on that descriptor. The last component is never followed, not even with a slash at its end
//! (`path_resolution(7)`).

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::ResolveFlag;

use crate::notify::place::{Found, Manner, Place, split};
use crate::notify::{Broker, Stop};
use crate::sys::errno;
use crate::sys::names::Name;
use crate::sys::path::{self, Follow};
use crate::sys::seccomp::Notification;

/// One name, and what is there now.
#[derive(Debug)]
pub(super) struct Entry {
    /// The folder.
    pub(super) folder: OwnedFd,
    /// The last component, with one slash at its end if the caller wrote any.
    name: Vec<u8>,
    /// What is there.
    pub(super) place: Place,
}

impl Entry {
    pub(super) fn name(&self) -> Name<'_> {
        Name { folder: self.folder.as_fd(), name: &self.name }
    }

    /// A folder or a symbolic link: what brings more than itself along.
    pub(super) fn is_whole(&self) -> bool {
        matches!(&self.place.found, Found::Existing { stat, .. } if stat.is_dir() || stat.is_symlink())
    }
}

impl Broker {
    /// Reads a path of the caller's and opens the folder that its last component is in.
    pub(super) fn entry(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        address: u64,
    ) -> Result<Entry, Stop> {
        let asked = self.read_path(notification, address)?;
        self.entry_of(notification, dirfd, asked)
    }

    /// As [`Broker::entry`], for a path that was read before.
    pub(super) fn entry_of(
        &mut self,
        notification: &Notification,
        dirfd: i32,
        asked: Vec<u8>,
    ) -> Result<Entry, Stop> {
        // "", "/", ".", "..": the kernel has an errno for each, and changes none of them.
        let (folder, last) = split(&asked).ok_or(Stop::Natural(libc::EINVAL))?;
        let mut name = last.to_vec();
        if asked.last() == Some(&b'/') {
            name.push(b'/');
        }
        let base = self.look_up(notification, dirfd, folder.to_vec(), Manner::FOLLOW)?;
        let natural = |error: &std::io::Error| Stop::Natural(errno::of(error));
        let path = base.path.join(OsStr::from_bytes(last));
        let (folder, found) = match base.found {
            Found::Missing { .. } => return Err(Stop::Natural(libc::ENOENT)),
            Found::Proc { fd } => (fd.try_clone().map_err(|error| natural(&error))?, Found::Proc { fd }),
            Found::Existing { stat, .. } if !stat.is_dir() => return Err(Stop::Natural(libc::ENOTDIR)),
            Found::Existing { fd, .. } => {
                let found = match path::look(fd.as_fd(), last, Follow::NotLast, ResolveFlag::empty()) {
                    Ok(child) => {
                        let stat = path::stat(child.as_fd()).map_err(|error| natural(&error))?;
                        Found::Existing { fd: child, stat }
                    }
                    Err(error) if errno::of(&error) == libc::ENOENT => {
                        Found::Missing { parent: fd.try_clone().map_err(|error| natural(&error))? }
                    }
                    Err(error) => return Err(natural(&error)),
                };
                (fd, found)
            }
        };
        Ok(Entry { folder, name, place: Place { found, path, asked } })
    }
}
