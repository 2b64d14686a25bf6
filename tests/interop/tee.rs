//! `interop-tee FOLDER`: starts a command and passes stdin and stdout through, recording both.
//!
//! `FOLDER/command` holds the command, its words separated by NUL: as arguments of ours, its paths could become grants.
//! `FOLDER/to-server` gets what went to it, `FOLDER/to-client` what came from it, each before it is passed on. The
//! recorder ends with the command, and with its status.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

fn main() -> io::Result<ExitCode> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else { return Ok(ExitCode::from(64)) };
    let command = std::fs::read(folder.join("command"))?;
    let mut words = command.split(|byte| *byte == 0).map(OsStr::from_bytes);
    let Some(program) = words.next() else { return Ok(ExitCode::from(64)) };
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(to_child), Some(from_child)) = (child.stdin.take(), child.stdout.take()) else {
        return Ok(ExitCode::FAILURE);
    };
    let to_server = File::create(folder.join("to-server"))?;
    let to_client = File::create(folder.join("to-client"))?;
    // Not joined: a client that never closes our stdin must not keep us when the command is gone.
    thread::spawn(move || pump(io::stdin().lock(), to_server, to_child));
    let outward = pump(from_child, to_client, io::stdout().lock());
    let status = child.wait()?;
    outward?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Copies until the end of `from`. When nobody reads `to` any more, the rest is still recorded.
fn pump(mut from: impl Read, mut record: File, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        record.write_all(&buffer[..read])?;
        match to.write_all(&buffer[..read]).and_then(|()| to.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
}
