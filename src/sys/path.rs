//! Paths, looked at without following what must not be followed: `openat2(2)`, `fstat(2)`, `faccessat2(2)`.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;

/// Device and inode: what a file is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inode {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

/// What `fstat` says, as far as judging needs it.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// Device and inode.
    pub inode: Inode,
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names that the file has.
    pub links: u64,
}

impl Stat {
    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFLNK
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }
}

impl From<libc::stat> for Stat {
    fn from(raw: libc::stat) -> Self {
        Stat {
            inode: Inode { dev: raw.st_dev, ino: raw.st_ino },
            mode: raw.st_mode,
            uid: raw.st_uid,
            gid: raw.st_gid,
            links: raw.st_nlink,
        }
    }
}

/// How far a look-up may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Follow symbolic links, the last one too; fail with `ELOOP` at a magic link of `/proc`.
    Links,
    /// As `Links`, but give the last component itself when it is a link.
    NotLast,
}

/// Opens `path` (relative to `base`) with `O_PATH`: no permission on the file itself is needed, nothing is read.
///
/// Magic links are never followed; `resolve` restricts the look-up further.
pub fn look(base: BorrowedFd<'_>, path: &[u8], follow: Follow, resolve: ResolveFlag) -> io::Result<OwnedFd> {
    let mut flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    if follow == Follow::NotLast {
        flags |= OFlag::O_NOFOLLOW;
    }
    let resolve = resolve | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags).mode(Mode::empty()).resolve(resolve);
    Ok(openat2(base, path, how)?)
}

/// As [`look`], magic links included: for `/proc/PID/…` entries that the caller has checked.
pub fn look_through(path: &[u8]) -> io::Result<OwnedFd> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: a NUL-terminated string that lives through the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
    // SAFETY: the kernel just made it for us.
    if fd >= 0 { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) } else { Err(io::Error::last_os_error()) }
}

/// Opens for real, with the flags given; `O_CLOEXEC` is added.
pub fn open(path: &[u8], flags: i32) -> io::Result<OwnedFd> {
    let path = CString::new(path).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: a NUL-terminated string that lives through the call.
    let fd = unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0) };
    // SAFETY: the kernel just made it for us.
    if fd >= 0 { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) } else { Err(io::Error::last_os_error()) }
}

/// `fstat(2)`; works on `O_PATH` descriptors.
pub fn stat(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    Ok(nix::sys::stat::fstat(fd)?.into())
}

/// `fstatat(2)` of a name in a folder, the name itself when it is a link.
pub fn stat_at(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
    Ok(nix::sys::stat::fstatat(folder, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)?.into())
}

/// Where a descriptor of ours points to, by the kernel's word. Ends in ` (deleted)` for what has no name any more.
pub fn path_of(fd: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let mut link = [0u8; 32];
    let link = proc_self_fd(fd, &mut link);
    let target = nix::fcntl::readlink(link)?;
    Ok(PathBuf::from(target))
}

/// The target of the symbolic link that `fd` (opened with `O_PATH|O_NOFOLLOW`) is.
pub fn read_link(fd: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let mut buffer = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: an empty name and a buffer whose length is told.
    let got =
        unsafe { libc::readlinkat(fd.as_raw_fd(), c"".as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    buffer.truncate(got);
    Ok(PathBuf::from(OsString::from_vec(buffer)))
}

/// Whether the kernel's permission bits let us do this (`libc::R_OK` …) to what an `O_PATH` descriptor names.
pub fn may(fd: BorrowedFd<'_>, mode: i32) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: an empty name; plain integers.
    let done = unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_raw_fd(), c"".as_ptr(), mode, flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `/proc/self/fd/N` of one of our descriptors, without an allocation.
fn proc_self_fd<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [u8; 32]) -> &'a [u8] {
    use std::io::Write;
    let mut rest = &mut buffer[..];
    // 14 bytes and at most 10 digits: it fits.
    let _ = write!(rest, "/proc/self/fd/{}", fd.as_raw_fd());
    let left = rest.len();
    &buffer[..32 - left]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn looks_without_magic_links() {
        let root = open(b"/", libc::O_PATH | libc::O_DIRECTORY).unwrap();
        let etc = look(root.as_fd(), b"/etc", Follow::Links, ResolveFlag::empty()).unwrap();
        assert_eq!(path_of(etc.as_fd()).unwrap(), PathBuf::from("/etc"));
        assert!(stat(etc.as_fd()).unwrap().is_dir());
        let error = look(root.as_fd(), b"/proc/self/cwd", Follow::Links, ResolveFlag::empty()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert!(may(etc.as_fd(), libc::R_OK).is_ok());
    }
}
