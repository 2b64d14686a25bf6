//! The daemon of the demo: leaves its session, its parent and its streams behind, and holds a lock for as long as it
//! lives.
//!
//! The lock is how its life is told: `flock(2)` ends with the last process that holds it, so no process number has to
//! be believed. It ends by itself after [`LONGEST`], in case nobody is left to end it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{self, Signal};
use nix::unistd::{self, Pid};

use crate::cli::demo::SERVER;

/// Seconds that it lives at most.
const LONGEST: u32 = 60;

/// The first half: a session of its own, and a child that nobody waits for.
pub(super) fn detach(lock: &Path) -> io::Result<()> {
    unistd::setsid()?;
    // It keeps our stdout, to say when it is up.
    Command::new(std::env::current_exe()?)
        .args([SERVER, "linger"])
        .arg(lock)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}

/// The second half: takes the lock, says its number, and stays.
pub(super) fn linger(lock: &Path) -> io::Result<()> {
    unistd::alarm::set(LONGEST);
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(lock)?;
    let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
    writeln!(file, "{}", std::process::id())?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", std::process::id())?;
    out.flush()?;
    loop {
        unistd::pause();
    }
}

/// The process that holds the lock; `None` when nobody does.
///
/// # Errors
/// The file is there and cannot be looked at: nothing is known.
pub(super) fn alive(lock: &Path) -> io::Result<Option<Pid>> {
    let file = match File::open(lock) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_) => return Ok(None),
        Err((_, Errno::EWOULDBLOCK)) => {}
        Err((_, errno)) => return Err(errno.into()),
    }
    let text = std::fs::read_to_string(lock)?;
    let pid: i32 = text.trim().parse().map_err(io::Error::other)?;
    if pid > 1 { Ok(Some(Pid::from_raw(pid))) } else { Err(io::Error::other("no number of a process")) }
}

/// Ends what holds the lock, and waits until it is gone.
pub(super) fn end(lock: &Path) -> io::Result<()> {
    let Some(pid) = alive(lock)? else { return Ok(()) };
    // It holds the lock, so it lives, and the number is its own.
    signal::kill(pid, Signal::SIGKILL)?;
    let waited = Flock::lock(File::open(lock)?, FlockArg::LockExclusive);
    waited.map(drop).map_err(|(_, errno)| errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_held_lock_means_life() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("lock");
        assert_eq!(alive(&lock).unwrap(), None);
        std::fs::write(&lock, "4242\n").unwrap();
        assert_eq!(alive(&lock).unwrap(), None, "a file is no process");
        let held = Flock::lock(File::open(&lock).unwrap(), FlockArg::LockExclusive).unwrap();
        assert_eq!(alive(&lock).unwrap(), Some(Pid::from_raw(4242)));
        for nobody in ["1", "-1", "", "x"] {
            std::fs::write(&lock, nobody).unwrap();
            assert!(alive(&lock).is_err(), "{nobody}");
        }
        drop(held);
        end(&lock).unwrap();
    }
}
