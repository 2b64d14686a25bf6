//! `io_uring_setup(2)`: for the demonstration that a server does not get one.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// `struct io_uring_params`, which the kernel fills in.
const PARAMS: usize = 120;

/// Asks for a ring of `entries` entries, with no flags.
///
/// # Errors
/// `EPERM` and `ENOSYS` where rings are switched off.
pub fn setup(entries: u32) -> io::Result<OwnedFd> {
    let mut params = [0u64; PARAMS / size_of::<u64>()];
    // SAFETY: the structure is as long as the kernel's, zeroed as it asks, and valid for writing.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, entries, params.as_mut_ptr()) };
    match RawFd::try_from(fd) {
        // SAFETY: the kernel just made it for us.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
