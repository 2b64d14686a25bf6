//! Reading and writing descriptors that others own too.
//!
//! O_NONBLOCK belongs to the open file description, which stdin and stdout share with the client: it is never set on
//! them, and where somebody else has set it, EAGAIN is waited out (read(2), write(2), poll(2)).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Reads what is there, and waits for it; 0 at the end.
pub(super) fn read(mut file: &File, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(file.as_fd(), PollFlags::POLLIN, PollTimeout::NONE)?;
            }
            done => return done,
        }
    }
}

/// Writes everything, however long that takes.
pub(super) fn write_all(file: &File, bytes: &[u8]) -> io::Result<()> {
    write_watching(file, bytes, || wait(file.as_fd(), PollFlags::POLLOUT, PollTimeout::NONE).map(drop))
}

/// Writes everything; `blocked` is called to wait whenever nothing fits.
pub(super) fn write_watching(
    mut file: &File,
    mut bytes: &[u8],
    mut blocked: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => blocked()?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for `flags`, an error or a hang-up; false when the time is over first.
pub(super) fn wait(fd: BorrowedFd<'_>, flags: PollFlags, timeout: PollTimeout) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, flags)];
    poll_again(&mut fds, timeout).map(|ready| ready > 0)
}

/// Waits until `out` takes bytes; true if the reader of `watched` went away first.
pub(super) fn wait_or_gone(out: BorrowedFd<'_>, watched: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::new(out, PollFlags::POLLOUT), PollFd::new(watched, PollFlags::empty())];
    poll_again(&mut fds, PollTimeout::NONE)?;
    let out_ready = fds.first().and_then(PollFd::any).unwrap_or(false);
    Ok(!out_ready)
}

/// Waits until there is something to read, or until `out` takes bytes, or until the time is over.
pub(super) fn wait_or_writable(
    readable: BorrowedFd<'_>,
    out: Option<BorrowedFd<'_>>,
    timeout: PollTimeout,
) -> io::Result<()> {
    let mut fds = vec![PollFd::new(readable, PollFlags::POLLIN)];
    fds.extend(out.map(|out| PollFd::new(out, PollFlags::POLLOUT)));
    poll_again(&mut fds, timeout).map(drop)
}

fn poll_again(fds: &mut [PollFd<'_>], timeout: PollTimeout) -> io::Result<i32> {
    loop {
        match poll(fds, timeout) {
            Err(Errno::EINTR) => {}
            done => return done.map_err(io::Error::from),
        }
    }
}

/// Sets O_NONBLOCK on a description that nobody shares with us.
pub(super) fn set_nonblocking(file: &File) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
