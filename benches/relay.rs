//! `bench-relay COMMAND [ARG…]`: what a relay costs that looks at nothing.
//!
//! A thread for each direction, one `read` and one `write` for each piece of up to 64 KiB. It is what the relay of
//! caponier is measured against.

use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

fn main() -> io::Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else { return Ok(ExitCode::from(64)) };
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(to_child), Some(from_child)) = (child.stdin.take(), child.stdout.take()) else {
        return Ok(ExitCode::FAILURE);
    };
    thread::spawn(move || copy(io::stdin().lock(), to_child));
    copy(from_child, io::stdout().lock())?;
    let status = child.wait()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
        // Rust's stdout holds back what has no newline yet.
        to.flush()?;
    }
}
