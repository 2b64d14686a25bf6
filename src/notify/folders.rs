//! Reads in folders that the server cannot change: most of what a program opens when it starts.
//!
//! A path without `.`, `..` and empty names, in a folder that was found a moment ago, and where nothing on the way is granted for
//! writing, leads to that folder still: one look at the last name is enough. A link on the way counts when it lies in such a
//! place itself, as `/lib` does. Landlock decides
//! whatever is found here, since all such a call is ever answered is `Continue`; what may be wrong, when somebody else moves the
//! folder meanwhile,
//! is the prediction in the record.

use std::borrow::Cow;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::ResolveFlag;

use crate::event::{Evidence, FileAccessKind, text};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::sandbox::rules::Rights;
use crate::sys::errno;
use crate::sys::path::{self, Follow, Stat};

/// How long a folder is believed to be where it was.
const BELIEVED: Duration = Duration::from_millis(100);
/// Folders remembered; each holds a descriptor.
const REMEMBERED: usize = 256;
/// What lets a server change what a name leads to.
const CHANGES: Rights = Rights(
    Rights::REMOVE_DIR.0
        | Rights::REMOVE_FILE.0
        | Rights::MAKE_CHAR.0
        | Rights::MAKE_DIR.0
        | Rights::MAKE_REG.0
        | Rights::MAKE_SOCK.0
        | Rights::MAKE_FIFO.0
        | Rights::MAKE_BLOCK.0
        | Rights::MAKE_SYM.0
        | Rights::REFER.0,
);
/// Links on the way that are followed.
const MOST_LINKS: u8 = 8;
/// Folders of which each file is somebody's own business.
const ODD: [&[u8]; 2] = [b"/proc", b"/dev"];

/// A folder that the server cannot replace by another one.
#[derive(Debug, Clone)]
struct Folder {
    fd: Arc<OwnedFd>,
    /// Canonical; empty for the root.
    path: Arc<[u8]>,
    /// By all rules on the way to it.
    granted: Rights,
}

/// Those that were found a moment ago; `None`: one that is no use here.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: HashMap<Box<[u8]>, Option<Folder>>,
    since: Option<Instant>,
}

/// The path without its last name; `None` for the root, and for a path that is spelled in any way but the kernel's.
fn parent(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memrchr(b'/', path)?;
    let (folder, name) = (&path[..at], &path[at + 1..]);
    (path.first() == Some(&b'/') && !matches!(name, b"" | b"." | b"..")).then_some((folder, name))
}

impl Broker {
    /// Answers an open that only reads, where that can be done with one look; `None`: it needs the long way.
    pub(super) fn open_settled(&mut self, asker: &Asker, asked: &[u8]) -> Option<Reply> {
        let (folder, name) = parent(asked)?;
        if self.narrow.is_some() {
            return None;
        }
        self.forget_folders();
        let folder = self.settled(folder, 0)?;
        if folder.is_changeable() {
            return None;
        }
        let mut name = Cow::Borrowed(name);
        let mut found = path::stat_at(folder.fd.as_fd(), &name);
        if found.as_ref().is_ok_and(Stat::is_symlink) {
            name = Cow::Owned(neighbour(&folder, &name)?);
            found = path::stat_at(folder.fd.as_fd(), &name);
        }
        let errno = match &found {
            Ok(stat) => {
                let granted = folder.granted.and(self.rules.at(stat.inode).granted);
                let plain = stat.is_file()
                    && stat.mode & 0o444 == 0o444
                    && stat.inode.dev != self.proc_device
                    && granted.cover(Rights::READ_FILE);
                if !plain || self.network.is_some() && self.own_files.has(asked, stat.inode) {
                    return None;
                }
                0
            }
            Err(error) if errno::of(error) == libc::ENOENT => {
                if self.network.is_some() && self.own_files.is_named(asked) {
                    return None;
                }
                libc::ENOENT
            }
            Err(_) => return None,
        };
        let path = [&*folder.path, b"/", &*name].concat();
        let differs = (path != asked).then(|| text(asked).into_owned());
        let (path, kind) = (text(&path).into_owned(), FileAccessKind::Read);
        let evidence = Evidence::Predicted;
        let access = Access { place: None, path, asked: differs, kind, errno, evidence };
        Some(self.allow(asker, access, Reply::CONTINUE))
    }

    /// Whether a path leads nowhere, where that can be said with one look: a program that is searched for along PATH.
    pub(super) fn is_settled_missing(&mut self, asked: &[u8]) -> bool {
        let Some((folder, name)) = parent(asked) else { return false };
        self.forget_folders();
        let Some(folder) = self.settled(folder, 0) else { return false };
        let found = path::stat_at(folder.fd.as_fd(), name);
        !folder.is_changeable() && found.is_err_and(|error| errno::of(&error) == libc::ENOENT)
    }

    fn forget_folders(&mut self) {
        let folders = &mut self.folders;
        if folders.since.is_none_or(|since| since.elapsed() > BELIEVED) || folders.known.len() > REMEMBERED {
            folders.known.clear();
            folders.since = Some(Instant::now());
        }
    }

    /// The folder of this path; `b""` is the root. `links` is how many were followed so far.
    fn settled(&mut self, folder: &[u8], links: u8) -> Option<Folder> {
        if let Some(known) = self.folders.known.get(folder) {
            return known.clone();
        }
        let found = self.look_settled(folder, links);
        self.folders.known.insert(folder.into(), found.clone());
        found
    }

    fn look_settled(&mut self, folder: &[u8], links: u8) -> Option<Folder> {
        let (fd, path, above) = if folder.is_empty() {
            (Arc::clone(&self.root), Vec::new(), Rights::default())
        } else {
            let (above, name) = parent(folder)?;
            let above = self.settled(above, links)?;
            let path = [&*above.path, b"/", name].concat();
            if ODD.contains(&path.as_slice()) {
                return None;
            }
            let fd = path::look(above.fd.as_fd(), name, Follow::NotLast, ResolveFlag::empty()).ok()?;
            if path::stat(fd.as_fd()).ok()?.is_symlink() {
                if above.is_changeable() || links >= MOST_LINKS {
                    return None;
                }
                let target = path::read_link(fd.as_fd()).ok()?.into_os_string().into_vec();
                let target = if target.first() == Some(&b'/') {
                    target
                } else {
                    [&*above.path, b"/", &target].concat()
                };
                return self.settled(&target, links + 1);
            }
            (Arc::new(fd), path, above.granted)
        };
        let stat = path::stat(fd.as_fd()).ok()?;
        let granted = above.and(self.rules.at(stat.inode).granted);
        let is_one = stat.is_dir() && stat.inode.dev != self.proc_device;
        is_one.then(|| Folder { fd, path: path.into(), granted })
    }
}

impl Folder {
    /// Whether the server may change what its names lead to.
    fn is_changeable(&self) -> bool {
        self.granted.0 & CHANGES.0 != 0
    }
}

/// The name in the same folder that a link leads to; `None`: it leads elsewhere.
fn neighbour(folder: &Folder, link: &[u8]) -> Option<Vec<u8>> {
    let fd = path::look(folder.fd.as_fd(), link, Follow::NotLast, ResolveFlag::empty()).ok()?;
    let target = path::read_link(fd.as_fd()).ok()?.into_os_string().into_vec();
    (!target.contains(&b'/') && !matches!(&*target, b"" | b"." | b"..")).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_own_spelling_is_taken() {
        assert_eq!(parent(b"/usr/lib/a.js"), Some((&b"/usr/lib"[..], &b"a.js"[..])));
        assert_eq!(parent(b"/a"), Some((&b""[..], &b"a"[..])));
        for other in [&b""[..], b"/", b"a", b"a/b", b"./a", b"/a/", b"/a/.", b"/a/.."] {
            assert_eq!(parent(other), None, "{other:?}");
        }
        // The rest is asked of each folder on the way: an empty name, `.` and `..` are no names of one.
        for other in [&b"/a//b"[..], b"/a/./b", b"/a/../b", b"//a"] {
            let (mut at, mut spelled) = (other, true);
            while let Some((folder, _)) = parent(at) {
                at = folder;
            }
            spelled &= at.is_empty();
            assert!(!spelled, "{other:?}");
        }
    }
}
