//! How what was found gets into the log of the very session that it was found in.
//!
//! The prover judges by that log, so it can speak only when all denials are in it, and has to before `session.end`. Its
//! `run` names the session in a file, opens a named pipe and waits; the prover reads the log, judges, writes its lines
//! and closes. Whoever never comes is not waited for longer than [`PATIENCE`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, poll};

use crate::event::{Emitter, Event, Proof};
use crate::session::Epilogue;

const PIPE: &str = "verdicts";
const SESSION: &str = "session";
/// Milliseconds between two pieces of it.
const PATIENCE: u16 = 60_000;
/// Longest that is read: a line for each attack.
const LONGEST: usize = 4 << 20;

/// Makes the pipe.
pub(super) fn prepare(dir: &Path) -> io::Result<()> {
    Ok(nix::unistd::mkfifo(&dir.join(PIPE), nix::sys::stat::Mode::from_bits_truncate(0o600))?)
}

/// The session's name and the pipe to write to, once its `run` waits there; `None`: not yet.
pub(super) fn open(dir: &Path) -> io::Result<Option<(String, File)>> {
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(dir.join(PIPE));
    match opened {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Err(error) => Err(error),
        Ok(pipe) => {
            crate::sys::descriptor::set_nonblocking(pipe.as_fd(), false)?;
            Ok(Some((fs::read_to_string(dir.join(SESSION))?, pipe)))
        }
    }
}

/// Writes what was found.
pub(super) fn tell(mut pipe: File, found: &[Proof]) -> io::Result<()> {
    for proof in found {
        let line = serde_json::to_string(proof)?;
        writeln!(pipe, "{line}")?;
    }
    Ok(())
}

/// The side of `run`.
pub(in crate::cli) fn epilogue(dir: PathBuf, session: String) -> Epilogue {
    Box::new(move |emitter| {
        let heard = fs::write(dir.join(SESSION), &session).and_then(|()| hear(&dir.join(PIPE)));
        match heard {
            Ok(found) => record(&found, emitter),
            Err(error) => tracing::error!(%error, "what was proven could not be heard"),
        }
    })
}

fn hear(pipe: &Path) -> io::Result<Vec<Proof>> {
    let mut pipe = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(pipe)?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PATIENCE) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Err(nix::errno::Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
            Ok(_) => {}
        }
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) if bytes.len() + count <= LONGEST => {
                bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
            }
            Ok(_) => return Err(io::Error::from_raw_os_error(libc::EFBIG)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
}

fn record(found: &[Proof], emitter: &Emitter) {
    for proof in found {
        let event = match proof {
            Proof::Attack(attack) => Event::ProofAttack(attack.clone()),
            Proof::Result(result) => Event::ProofResult(result.clone()),
        };
        if let Err(unwritable) = emitter.emit(&event) {
            tracing::error!(%unwritable, "what was proven is not in the log");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ProofResult;

    #[test]
    fn what_is_told_is_heard_when_both_are_there() {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path()).unwrap();
        assert!(open(folder.path()).unwrap().is_none(), "nobody waits yet");
        let result = ProofResult { ok: true, blocked: 2, open: 0, allowed: 0, unproven: 1, unclear: 0 };
        let found = vec![Proof::Result(result)];
        fs::write(folder.path().join(SESSION), "S").unwrap();
        let dir = folder.path().to_owned();
        let heard = std::thread::spawn(move || hear(&dir.join(PIPE)).unwrap());
        let (session, pipe) = loop {
            match open(folder.path()).unwrap() {
                Some(opened) => break opened,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(session, "S");
        tell(pipe, &found).unwrap();
        assert_eq!(heard.join().unwrap(), found);
    }
}
