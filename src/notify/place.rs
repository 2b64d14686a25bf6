//! What a path leads to, and how it is meant.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::ResolveFlag;

use crate::notify::Stop;
use crate::sys::errno;
use crate::sys::path::{self, Follow, Stat};

/// As many symbolic links as the kernel follows.
pub(super) const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Found {
    /// Something that exists.
    Existing { fd: OwnedFd, stat: Stat },
    /// The same, known by its name in a folder that is held, for calls that act on names.
    Named { stat: Stat },
    /// Nothing yet, in a folder that exists.
    Missing { parent: Arc<OwnedFd> },
    /// A file of `/proc`, held by an `O_PATH` descriptor.
    Proc { fd: OwnedFd },
}

impl Found {
    /// What it is; `None` for what is not there, and for files of `/proc`.
    pub(super) fn stat(&self) -> Option<&Stat> {
        match self {
            Found::Existing { stat, .. } | Found::Named { stat } => Some(stat),
            Found::Missing { .. } | Found::Proc { .. } => None,
        }
    }
}

/// A path that was looked up.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) found: Found,
    /// Canonical.
    pub(super) path: PathBuf,
    /// As the server wrote it.
    pub(super) asked: Vec<u8>,
}

impl Place {
    /// `asked`, when it reads differently from the canonical path.
    pub(super) fn asked_differently(&self) -> Option<String> {
        (self.asked != self.path.as_os_str().as_bytes()).then(|| crate::event::text(&self.asked).into_owned())
    }

    pub(super) fn shown(&self) -> String {
        crate::event::text(self.path.as_os_str().as_bytes()).into_owned()
    }
}

/// How a path is meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) follow: Follow,
    /// Restrictions of `openat2(2)` that the caller asked for.
    pub(super) resolve: ResolveFlag,
    /// An empty path means the base itself (`AT_EMPTY_PATH`).
    pub(super) empty: bool,
}

impl Manner {
    pub(super) const FOLLOW: Manner =
        Manner { follow: Follow::Links, resolve: ResolveFlag::empty(), empty: false };
    pub(super) const NOT_LAST: Manner = Manner { follow: Follow::NotLast, ..Manner::FOLLOW };
}

/// Something that was opened.
pub(super) fn existing(fd: OwnedFd, stat: Stat) -> Result<Place, Stop> {
    let path = path::path_of(fd.as_fd()).map_err(|error| Stop::Natural(errno::of(&error)))?;
    Ok(Place { found: Found::Existing { fd, stat }, path, asked: Vec::new() })
}

/// Folder and last component of a path; `None` when the last component is no name (`.`, `..`, nothing).
pub(super) fn split(asked: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = asked.iter().rposition(|byte| *byte != b'/')? + 1;
    let asked = &asked[..end];
    let (folder, name) = match memchr::memrchr(b'/', asked) {
        Some(at) => (&asked[..at + 1], &asked[at + 1..]),
        None => (&b"."[..], asked),
    };
    (!matches!(name, b"." | b".." | b"")).then_some((folder, name))
}

/// The folder that something existing lies in, for judging along its parents. Opened by the kernel's own name for
/// the thing, with no link followed.
pub(super) fn folder_of(root: BorrowedFd<'_>, path: &Path) -> std::io::Result<OwnedFd> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    path::look(root, parent.as_os_str().as_bytes(), Follow::NotLast, ResolveFlag::RESOLVE_NO_SYMLINKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_their_last_name() {
        assert_eq!(split(b"/a/b"), Some((&b"/a/"[..], &b"b"[..])));
        assert_eq!(split(b"b"), Some((&b"."[..], &b"b"[..])));
        assert_eq!(split(b"/b///"), Some((&b"/"[..], &b"b"[..])));
        for none in [&b"/"[..], b"", b"..", b"/a/.", b"a/../"] {
            assert_eq!(split(none), None, "{none:?}");
        }
    }
}
