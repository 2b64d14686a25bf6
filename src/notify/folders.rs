//! Reads in folders that the server cannot change: most of what a program opens when it starts.
//!
//! A path that is spelled as the kernel would spell it, in a folder that was found without a link on the way a moment ago, and
//! below which nothing is granted for writing, leads to that folder still: one look at the last name is enough. Landlock decides
//! whatever is found here, since all such a call is ever answered is `Continue`; what may be wrong, when somebody else moves the
//! folder meanwhile,
//! is the prediction in the record.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::ResolveFlag;

use crate::event::{Evidence, FileAccessKind, text};
use crate::notify::record::{Access, Asker};
use crate::notify::{Broker, Reply};
use crate::sandbox::rules::Rights;
use crate::sys::errno;
use crate::sys::path::{self, Follow};

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
/// Folders of which each file is somebody's own business.
const ODD: [&[u8]; 2] = [b"/proc", b"/dev"];

/// A folder that was reached without a link.
#[derive(Debug, Clone)]
struct Folder {
    fd: Arc<OwnedFd>,
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
        if self.folders.since.is_none_or(|since| since.elapsed() > BELIEVED)
            || self.folders.known.len() > REMEMBERED
        {
            self.folders.known.clear();
            self.folders.since = Some(Instant::now());
        }
        let folder = self.settled(folder)?;
        if folder.granted.0 & CHANGES.0 != 0 {
            return None;
        }
        let found = path::stat_at(folder.fd.as_fd(), name);
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
        let (path, kind) = (text(asked).into_owned(), FileAccessKind::Read);
        let access = Access { place: None, path, kind, errno, evidence: Evidence::Predicted };
        Some(self.allow(asker, access, Reply::CONTINUE))
    }

    /// The folder of this path, spelled as the kernel would; `b""` is the root.
    fn settled(&mut self, folder: &[u8]) -> Option<Folder> {
        if let Some(known) = self.folders.known.get(folder) {
            return known.clone();
        }
        let found = self.look_settled(folder);
        self.folders.known.insert(folder.into(), found.clone());
        found
    }

    fn look_settled(&mut self, folder: &[u8]) -> Option<Folder> {
        let (fd, above) = if folder.is_empty() {
            (Arc::clone(&self.root), Rights::default())
        } else {
            let (above, name) = parent(folder)?;
            if ODD.contains(&folder) {
                return None;
            }
            let above = self.settled(above)?;
            let fd = path::look(above.fd.as_fd(), name, Follow::NotLast, ResolveFlag::empty()).ok()?;
            (Arc::new(fd), above.granted)
        };
        let stat = path::stat(fd.as_fd()).ok()?;
        let granted = above.and(self.rules.at(stat.inode).granted);
        (stat.is_dir() && stat.inode.dev != self.proc_device).then_some(Folder { fd, granted })
    }
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
