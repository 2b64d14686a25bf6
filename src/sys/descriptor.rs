//! Descriptors: `close_range(2)`, `fcntl(2)`, `pidfd_open(2)`, `pidfd_getfd(2)`, sealed memory files.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Closes every descriptor from `first` on. What owned them must not be used or dropped any more: this is for the
/// child side, just before it executes something or ends.
pub fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: plain integers; the caller's contract is above, and a stale number only yields EBADF.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes every descriptor from 3 on, those in `keep` aside.
pub fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<RawFd> = keep.to_vec();
    keep.sort_unstable();
    let mut first = 3;
    for fd in keep {
        if fd > first {
            // SAFETY: as in close_from.
            let done = unsafe { libc::syscall(libc::SYS_close_range, first, fd - 1, 0) };
            if done != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        first = first.max(fd + 1);
    }
    close_from(first)
}

/// Whether the descriptor closes when a program is executed.
pub fn set_close_on_exec(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(if on { FdFlag::FD_CLOEXEC } else { FdFlag::empty() }))?;
    Ok(())
}

/// Whether reading and writing wait. For a file description that nobody else has yet.
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let mut flags = nix::fcntl::OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    flags.set(nix::fcntl::OFlag::O_NONBLOCK, on);
    fcntl(fd, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// Whether reading and writing do not wait.
pub fn is_nonblocking(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(fcntl(fd, FcntlArg::F_GETFL)? & libc::O_NONBLOCK != 0)
}

/// A copy with a number of at least `min`, so that `dup2` onto 0–2 cannot clobber it; closes on exec.
pub fn duplicate_above(fd: BorrowedFd<'_>, min: RawFd) -> io::Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(min))?;
    // SAFETY: fcntl just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Makes `fd` one of the standard streams of this process.
pub fn become_standard_stream(fd: BorrowedFd<'_>, stream: RawFd) -> io::Result<()> {
    // SAFETY: plain integers; 0, 1, 2 are owned by nobody in the child side.
    let done = unsafe { libc::dup2(fd.as_raw_fd(), stream) };
    if done == stream { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes over a descriptor that the parent passed by number. Each number may be taken once.
pub fn take_inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD on any number is harmless.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and by the contract nobody else in this process owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    set_close_on_exec(fd.as_fd(), true)?;
    Ok(fd)
}

/// A memory file with these bytes that nobody can change or grow again.
pub fn sealed_memory(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    let seals =
        SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// A descriptor for a process (`tid` must be a thread group leader).
pub fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Our own copy of descriptor `fd` of the process behind `pidfd`: the same open file description.
pub fn pidfd_getfd(pidfd: BorrowedFd<'_>, fd: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(fd) {
        // SAFETY: the kernel just made it for us.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
