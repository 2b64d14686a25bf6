//! `inotify_add_watch(2)` on something that was looked at before.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Watch a symbolic link itself.
pub const IN_DONT_FOLLOW: u32 = libc::IN_DONT_FOLLOW;

/// Adds a watch for what `watched` (an `O_PATH` descriptor) names; its number.
pub fn add(instance: BorrowedFd<'_>, watched: BorrowedFd<'_>, mask: u32) -> io::Result<i32> {
    let path = CString::new(format!("/proc/self/fd/{}", watched.as_raw_fd()))
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: a NUL-terminated string that lives through the call.
    let descriptor = unsafe { libc::inotify_add_watch(instance.as_raw_fd(), path.as_ptr(), mask) };
    if descriptor >= 0 { Ok(descriptor) } else { Err(io::Error::last_os_error()) }
}
