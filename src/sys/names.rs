//! Names made, removed and moved in folders that are open: `openat(2)`, `mkdirat(2)`, `mknodat(2)`, `symlinkat(2)`,
//! `linkat(2)`, `renameat2(2)`, `unlinkat(2)`, `truncate(2)`.
//!
//! A name is one component, with a slash at its end where the caller wrote one: the kernel then insists on a folder.
//! No call here follows a link at the end of a name.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A folder, and a name in it.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    /// The folder.
    pub folder: BorrowedFd<'a>,
    /// The name.
    pub name: &'a [u8],
}

impl Name<'_> {
    fn nul_ended(self) -> io::Result<CString> {
        nul_ended(self.name)
    }
}

/// Creates a file that does not exist, and opens it. `flags` besides `O_CREAT|O_EXCL`; `O_CLOEXEC` is added.
pub fn create(at: Name<'_>, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC | libc::O_NOCTTY;
    let name = at.nul_ended()?;
    // SAFETY: a NUL-terminated string that lives through the call.
    opened(unsafe { libc::openat(at.folder.as_raw_fd(), name.as_ptr(), flags, mode) })
}

/// Opens a file without a name in a folder (`flags` holds `O_TMPFILE`).
pub fn create_nameless(folder: BorrowedFd<'_>, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: a NUL-terminated string that lives through the call.
    opened(unsafe { libc::openat(folder.as_raw_fd(), c".".as_ptr(), flags | libc::O_CLOEXEC, mode) })
}

/// Opens for real the very file that an `O_PATH` descriptor names.
pub fn reopen(fd: BorrowedFd<'_>, flags: i32) -> io::Result<OwnedFd> {
    let path = through(fd)?;
    // SAFETY: a NUL-terminated string that lives through the call.
    opened(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC | libc::O_NOCTTY) })
}

/// Cuts or stretches the very file that an `O_PATH` descriptor names.
pub fn truncate(fd: BorrowedFd<'_>, length: i64) -> io::Result<()> {
    let path = through(fd)?;
    // SAFETY: a NUL-terminated string that lives through the call.
    done(unsafe { libc::truncate(path.as_ptr(), length) })
}

/// Makes a folder.
pub fn make_folder(at: Name<'_>, mode: u32) -> io::Result<()> {
    let name = at.nul_ended()?;
    // SAFETY: a NUL-terminated string that lives through the call.
    done(unsafe { libc::mkdirat(at.folder.as_raw_fd(), name.as_ptr(), mode) })
}

/// Makes a file, a pipe or a socket: no device.
pub fn make_node(at: Name<'_>, mode: u32) -> io::Result<()> {
    let name = at.nul_ended()?;
    // SAFETY: a NUL-terminated string that lives through the call.
    done(unsafe { libc::mknodat(at.folder.as_raw_fd(), name.as_ptr(), mode, 0) })
}

/// Makes a symbolic link that reads `target`.
pub fn make_link(at: Name<'_>, target: &[u8]) -> io::Result<()> {
    let (name, target) = (at.nul_ended()?, nul_ended(target)?);
    // SAFETY: two NUL-terminated strings that live through the call.
    done(unsafe { libc::symlinkat(target.as_ptr(), at.folder.as_raw_fd(), name.as_ptr()) })
}

/// Gives the very file that an `O_PATH` descriptor names a further name.
pub fn add_name(fd: BorrowedFd<'_>, at: Name<'_>) -> io::Result<()> {
    let (path, name) = (through(fd)?, at.nul_ended()?);
    let (folder, flags) = (at.folder.as_raw_fd(), libc::AT_SYMLINK_FOLLOW);
    // SAFETY: two NUL-terminated strings that live through the call.
    done(unsafe { libc::linkat(libc::AT_FDCWD, path.as_ptr(), folder, name.as_ptr(), flags) })
}

/// Moves a name (`flags`: `RENAME_NOREPLACE`, `RENAME_EXCHANGE`).
pub fn rename(from: Name<'_>, to: Name<'_>, flags: u32) -> io::Result<()> {
    let (old, new) = (from.nul_ended()?, to.nul_ended()?);
    let (source, target) = (from.folder.as_raw_fd(), to.folder.as_raw_fd());
    // SAFETY: two NUL-terminated strings that live through the call.
    let moved =
        unsafe { libc::syscall(libc::SYS_renameat2, source, old.as_ptr(), target, new.as_ptr(), flags) };
    if moved == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Removes a name: of an empty folder, or of anything else.
pub fn remove(at: Name<'_>, folder: bool) -> io::Result<()> {
    let name = at.nul_ended()?;
    let flags = if folder { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: a NUL-terminated string that lives through the call.
    done(unsafe { libc::unlinkat(at.folder.as_raw_fd(), name.as_ptr(), flags) })
}

fn through(fd: BorrowedFd<'_>) -> io::Result<CString> {
    nul_ended(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_bytes())
}

fn nul_ended(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn opened(fd: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the kernel just made it for us.
    if fd >= 0 { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) } else { Err(io::Error::last_os_error()) }
}

fn done(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::path::{self, Follow};
    use std::os::fd::AsFd;

    #[test]
    fn names_in_an_open_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = path::open(dir.path().as_os_str().as_encoded_bytes(), libc::O_PATH).unwrap();
        let at = |name: &'static [u8]| Name { folder: folder.as_fd(), name };
        create(at(b"a"), libc::O_WRONLY, 0o600).unwrap();
        let again = create(at(b"a"), libc::O_WRONLY, 0o600).unwrap_err();
        assert_eq!(again.raw_os_error(), Some(libc::EEXIST));
        make_link(at(b"l"), b"a").unwrap();
        // The link is what gets a second name, not what it leads to.
        let link =
            path::look(folder.as_fd(), b"l", Follow::NotLast, nix::fcntl::ResolveFlag::empty()).unwrap();
        add_name(link.as_fd(), at(b"l2")).unwrap();
        assert_eq!(std::fs::read_link(dir.path().join("l2")).unwrap(), std::path::Path::new("a"));
        make_folder(at(b"d/"), 0o700).unwrap();
        assert_eq!(remove(at(b"a/"), false).unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
        rename(at(b"a"), at(b"b"), 0).unwrap();
        let a = path::look(folder.as_fd(), b"b", Follow::NotLast, nix::fcntl::ResolveFlag::empty()).unwrap();
        truncate(a.as_fd(), 7).unwrap();
        assert_eq!(std::fs::metadata(dir.path().join("b")).unwrap().len(), 7);
        reopen(a.as_fd(), libc::O_WRONLY | libc::O_TRUNC).unwrap();
        assert_eq!(std::fs::metadata(dir.path().join("b")).unwrap().len(), 0);
        remove(at(b"d"), true).unwrap();
        make_node(at(b"p"), libc::S_IFIFO | 0o600).unwrap();
    }

    #[test]
    fn a_nameless_file_gets_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = path::open(dir.path().as_os_str().as_encoded_bytes(), libc::O_PATH).unwrap();
        let file = create_nameless(folder.as_fd(), libc::O_TMPFILE | libc::O_RDWR, 0o600).unwrap();
        add_name(file.as_fd(), Name { folder: folder.as_fd(), name: b"n" }).unwrap();
        assert!(dir.path().join("n").exists());
    }
}
