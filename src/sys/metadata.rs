//! Changes of metadata on a file that was looked at before: `fchmodat2(2)`, `fchownat(2)`, `utimensat(2)`,
//! `setxattr(2)`, `removexattr(2)`.
//!
//! All act on a descriptor, so that what was judged is what is changed. An `O_PATH` descriptor is reached through
//! `/proc/self/fd/N`, which the kernel resolves to that very file.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets the permission bits.
pub fn change_mode(fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    let path = through(fd)?;
    // SAFETY: a NUL-terminated string that lives through the call.
    done(unsafe { libc::chmod(path.as_ptr(), mode) })
}

/// Sets owner and group; `u32::MAX` leaves one as it is. Acts on a symbolic link itself when `fd` is one.
pub fn change_owner(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: an empty name; plain integers.
    done(unsafe { libc::fchownat(fd.as_raw_fd(), c"".as_ptr(), uid, gid, libc::AT_EMPTY_PATH) })
}

/// Sets access and modification time; `None` is now. Acts on a symbolic link itself when `fd` is one.
pub fn change_times(fd: BorrowedFd<'_>, times: Option<[libc::timespec; 2]>) -> io::Result<()> {
    let times = times.as_ref().map_or(std::ptr::null(), |times| times.as_ptr());
    // SAFETY: an empty name; `times` is null or two timespecs that live through the call.
    done(unsafe { libc::utimensat(fd.as_raw_fd(), c"".as_ptr(), times, libc::AT_EMPTY_PATH) })
}

/// Sets an extended attribute. `fd` must not be a symbolic link.
pub fn set_attribute(fd: BorrowedFd<'_>, name: &[u8], value: &[u8], flags: i32) -> io::Result<()> {
    let (path, name) = (through(fd)?, nul_ended(name)?);
    // SAFETY: two NUL-terminated strings and a slice with its length, alive through the call.
    done(unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), flags) })
}

/// Removes an extended attribute. `fd` must not be a symbolic link.
pub fn remove_attribute(fd: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let (path, name) = (through(fd)?, nul_ended(name)?);
    // SAFETY: two NUL-terminated strings, alive through the call.
    done(unsafe { libc::removexattr(path.as_ptr(), name.as_ptr()) })
}

fn through(fd: BorrowedFd<'_>) -> io::Result<CString> {
    nul_ended(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_bytes())
}

fn nul_ended(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn done(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn acts_on_the_file_that_was_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "x").unwrap();
        let fd = crate::sys::path::look_through(path.as_os_str().as_encoded_bytes()).unwrap();
        change_mode(fd.as_fd(), 0o640).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        change_times(fd.as_fd(), None).unwrap();
        change_owner(fd.as_fd(), u32::MAX, u32::MAX).unwrap();
        assert!(remove_attribute(fd.as_fd(), b"user.none").is_err());
    }
}
