//! The server's stderr goes to ours as it is; what we say ourselves goes there only if nobody has to wait for it.
//!
//! A client that never reads stderr stops the server's stderr, as it would without us. It must never stop the
//! messages: so a note of ours is given up, and counted by whoever has it, rather than waited for.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError, TryLockError};

use nix::poll::{PollFlags, PollTimeout};

use crate::relay::pipe;

/// One read; also what a pipe that polls writable takes at least (pipe(7): PIPE_BUF).
const CHUNK: usize = 4096;

/// Our stderr.
#[derive(Debug)]
pub(super) struct Stderr(Mutex<File>);

impl Stderr {
    pub(super) fn new(file: File) -> Self {
        Stderr(Mutex::new(file))
    }

    /// Writes one line of ours, unless that would block.
    pub(super) fn note(&self, text: &str) {
        let file = match self.0.try_lock() {
            Ok(file) => file,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let line = format!("caponier: {text}\n");
        if line.len() <= CHUNK
            && pipe::wait(file.as_fd(), PollFlags::POLLOUT, PollTimeout::ZERO).unwrap_or(false)
        {
            // Nobody to tell when this fails.
            let _ = (&*file).write(line.as_bytes());
        }
    }

    /// Passes on everything that comes from `source`, until it ends. `seen` sees each piece first, the end as an empty
    /// one.
    pub(super) fn pass_on(&self, source: &File, mut seen: impl FnMut(&[u8])) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK * 4];
        let mut gone = false;
        loop {
            let count = pipe::read(source, &mut chunk)?;
            seen(chunk.get(..count).unwrap_or_default());
            if count == 0 {
                return Ok(());
            }
            // Without a reader of ours it is still emptied: losing its stderr is no reason for a server to die.
            if !gone {
                let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                gone = pipe::write_all(&file, chunk.get(..count).unwrap_or_default()).is_err();
            }
        }
    }
}
