//! `landlock_create_ruleset(2)` as a question, and `landlock_restrict_self(2)` with flags.
//!
//! Rulesets themselves are made with the crate `landlock`; it neither takes a ruleset made in another process nor
//! sets the logging flags, so the last step is here.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const CREATE_RULESET_VERSION: libc::c_uint = 1;
/// Keep logging what programs do that are executed later (`LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON`, ABI 7).
pub const LOG_NEW_EXEC_ON: u32 = 1 << 1;

/// The kernel's Landlock ABI; an error when it has none or it is switched off.
pub fn abi() -> io::Result<u32> {
    // SAFETY: with the VERSION flag the kernel reads no memory.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

/// Confines the calling thread. Needs no_new_privs.
pub fn restrict_self(ruleset: BorrowedFd<'_>, flags: u32) -> io::Result<()> {
    // SAFETY: two plain integers; the descriptor is borrowed for the call.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
