//! A name in a folder, for the calls that change names: the folder is opened first, and both the judgement and the
//! act rest on that descriptor. The last component is never followed, not even with a slash at its end
//! (`path_resolution(7)`).

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::notify::judge::Survey;
use crate::notify::place::{Found, Manner, Place, split};
use crate::notify::{Broker, Stop};
use crate::sys::errno;
use crate::sys::names::Name;
use crate::sys::path;
use crate::sys::seccomp::Notification;

/// One name, and what is there now.
#[derive(Debug)]
pub(super) struct Entry {
    /// The folder.
    pub(super) folder: Arc<OwnedFd>,
    /// The last component, with one slash at its end if the caller wrote any.
    name: Vec<u8>,
    /// What is there.
    pub(super) place: Place,
}

impl Entry {
    /// What this name is in a folder, by one look.
    fn at(folder: Arc<OwnedFd>, path: &Path, last: Vec<u8>, asked: Vec<u8>) -> Result<Entry, Stop> {
        let found = match path::stat_at(folder.as_fd(), &last) {
            Ok(stat) => Found::Named { stat },
            Err(error) if errno::of(&error) == libc::ENOENT => Found::Missing { parent: Arc::clone(&folder) },
            Err(error) => return Err(Stop::Natural(errno::of(&error))),
        };
        let path = path.join(OsStr::from_bytes(&last));
        let mut name = last;
        if asked.last() == Some(&b'/') {
            name.push(b'/');
        }
        Ok(Entry { folder, name, place: Place { found, path, asked } })
    }

    pub(super) fn name(&self) -> Name<'_> {
        Name { folder: self.folder.as_fd(), name: &self.name }
    }

    /// A folder or a symbolic link: what brings more than itself along.
    pub(super) fn is_whole(&self) -> bool {
        self.place.found.stat().is_some_and(|stat| stat.is_dir() || stat.is_symlink())
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

    /// Surveys the folder that the name is in.
    pub(super) fn survey_around(&mut self, entry: &Entry) -> std::io::Result<Survey> {
        let folder = entry.place.path.parent().unwrap_or(Path::new("/"));
        self.survey(folder, entry.folder.as_fd())
    }

    /// As [`Broker::entry`], for the second name of a call whose first one is known: most are in the same folder.
    pub(super) fn entry_beside(
        &mut self,
        notification: &Notification,
        (beside_dirfd, beside): (i32, &Entry),
        dirfd: i32,
        address: u64,
    ) -> Result<Entry, Stop> {
        let asked = self.read_path(notification, address)?;
        let folders = (split(&beside.place.asked), split(&asked));
        if let (Some((known, _)), Some((folder, last))) = folders
            && known == folder
            && (beside_dirfd == dirfd || folder.first() == Some(&b'/'))
            && !matches!(beside.place.found, Found::Proc { .. })
            && let Some(path) = beside.place.path.parent()
        {
            return Entry::at(Arc::clone(&beside.folder), path, last.to_vec(), asked);
        }
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
        let last = last.to_vec();
        let base = self.look_up(notification, dirfd, folder.to_vec(), Manner::FOLLOW)?;
        match base.found {
            Found::Missing { .. } | Found::Named { .. } => Err(Stop::Natural(libc::ENOENT)),
            Found::Proc { fd } => {
                let folder = fd.try_clone().map_err(|error| Stop::Natural(errno::of(&error)))?;
                let path = base.path.join(OsStr::from_bytes(&last));
                let place = Place { found: Found::Proc { fd }, path, asked };
                Ok(Entry { folder: Arc::new(folder), name: last, place })
            }
            Found::Existing { stat, .. } if !stat.is_dir() => Err(Stop::Natural(libc::ENOTDIR)),
            Found::Existing { fd, .. } => Entry::at(Arc::new(fd), &base.path, last, asked),
        }
    }
}
