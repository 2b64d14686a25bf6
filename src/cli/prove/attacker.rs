//! The attacker: this very program, in a hidden role, as the server of a `run` and without one.
//!
//! Each attack has a process of its own, so that the log tells whose denial a line is and that nothing an attack does
//! to itself reaches the next. What came of each goes to stderr, one line of JSON behind [`MARK`]: whatever a profile
//! says of messages, stderr goes to the client.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::prove::attacks::{self, Attack};
use crate::cli::prove::mission::{Answered, Got, Mission, Told};
use crate::sys::process::{self, Fork};
use crate::sys::{errno, hostile};

/// The hidden subcommand.
pub(in crate::cli) const ATTACKER: &str = "doctor-attacker";
/// What its lines begin with.
pub(super) const MARK: &str = "caponier doctor attacker: ";
/// Its last one.
pub(super) const DONE: &str = "caponier doctor attacker: done";
/// Seconds that one attack may take.
const LONGEST: u32 = 90;
/// How the secret in the victim's memory begins.
pub(super) const MEMORY: &str = "what only this process knows: planted by caponier doctor";

/// `caponier doctor-attacker ROLE`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AttackerArgs {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Attack
    Attack { mission: String, folder: Option<PathBuf> },
    /// Be attacked, until stdin ends
    Victim,
}

/// Runs it.
pub(in crate::cli) fn run(args: &AttackerArgs) -> ExitCode {
    let done = match &args.role {
        Role::Attack { mission, .. } => {
            serde_json::from_str(mission).map_err(io::Error::from).and_then(|mission| attack(&mission))
        }
        Role::Victim => suffer(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn attack(mission: &Mission) -> io::Result<()> {
    let mut out = io::stderr().lock();
    for attack in attacks::all().filter(|attack| mission.attacks.iter().any(|name| name == attack.name)) {
        let (pid, got) = attempt(attack, mission)
            .unwrap_or_else(|error| (std::process::id(), Got::Failed(format!("it had no process: {error}"))));
        let told = Told { attack: attack.name.to_owned(), pid, got };
        writeln!(out, "{MARK}{}", serde_json::to_string(&told)?)?;
    }
    writeln!(out, "{DONE}")
}

/// Does one attack in a process of its own: its number, and what came of it.
fn attempt(attack: &Attack, mission: &Mission) -> io::Result<(u32, Got)> {
    let (mut theirs, ours) = io::pipe()?;
    match process::fork()? {
        Fork::Child => {
            drop(theirs);
            nix::unistd::alarm::set(LONGEST);
            let got = of(attack.run(mission));
            let _ = serde_json::to_writer(File::from(std::os::fd::OwnedFd::from(ours)), &got);
            process::exit_now(0)
        }
        Fork::Parent(pid) => {
            drop(ours);
            let mut text = Vec::new();
            theirs.read_to_end(&mut text)?;
            let status = wait_for(pid)?;
            let got = match serde_json::from_slice(&text) {
                Ok(got) => got,
                // It became another program, whose end this is.
                Err(_) if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 => {
                    Got::Did("it ran".into())
                }
                Err(_) if libc::WIFSIGNALED(status) => Got::Killed(libc::WTERMSIG(status)),
                Err(_) => Got::Failed(format!("it ended with wait status {status}")),
            };
            Ok((pid, got))
        }
    }
}

fn wait_for(pid: u32) -> io::Result<i32> {
    loop {
        match process::reap(true)? {
            Some(ended) if ended.pid == pid => return Ok(ended.status),
            _ => {}
        }
    }
}

/// An error without an errno and of the kind `NotFound` says that there was nothing to get.
fn of(outcome: io::Result<String>) -> Got {
    match outcome {
        Ok(did) => Got::Did(did),
        Err(error) => match (error.raw_os_error(), error.kind()) {
            _ if error.get_ref().is_some_and(|inner| inner.is::<Answered>()) => Got::Errno(error.to_string()),
            (Some(number), _) => Got::Errno(errno::name(number).to_owned()),
            (None, io::ErrorKind::NotFound) => Got::Absent,
            (None, _) => Got::Failed(error.to_string()),
        },
    }
}

/// Says where its secret is, and stays until nobody needs it any more.
fn suffer() -> io::Result<()> {
    // Without Yama there is nothing to allow.
    let _ = hostile::allow_tracers();
    let memory: Box<str> = MEMORY.into();
    let victim =
        json!({"pid": std::process::id(), "address": memory.as_ptr().addr(), "length": memory.len()});
    let mut out = io::stdout().lock();
    writeln!(out, "{victim}")?;
    out.flush()?;
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    std::hint::black_box(&memory);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_told_by_its_errno() {
        for (outcome, got) in [
            (Ok("x".to_owned()), Got::Did("x".into())),
            (Err(io::Error::from_raw_os_error(libc::EXDEV)), Got::Errno("EXDEV".into())),
            (Err(io::ErrorKind::NotFound.into()), Got::Absent),
            (Err(io::Error::other(Answered("NXDOMAIN"))), Got::Errno("NXDOMAIN".into())),
            (Err(io::Error::other("odd")), Got::Failed("odd".into())),
        ] {
            assert_eq!(of(outcome), got);
        }
    }
}
