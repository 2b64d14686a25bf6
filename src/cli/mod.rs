//! The command line: arguments in, reports and exit status out.
//!
//! The program starts itself as `init`; that branch is taken before anything else happens, while there is one thread.

pub mod audit;
mod demo;
pub mod diagnostic;
pub mod doctor;
pub mod exit;
pub mod learn;
pub mod profile;
pub mod ps;
pub mod run;
pub mod server;
pub mod surroundings;
pub mod term;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::surroundings::Surroundings;
use crate::supervisor::INIT;

/// Runs a local MCP server in a pen: confined by the kernel, judged at every message, recorded on one timeline
#[derive(Parser)]
#[command(name = "caponier", version, max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a server in its pen and relay its stdin and stdout
    Run(run::RunArgs),
    /// Watch a hostile server being held: a built-in one, run bare and in its pen
    Demo(demo::DemoArgs),
    /// The server of the demo
    #[command(name = demo::SERVER, hide = true)]
    DemoServer(demo::server::ServerArgs),
    /// Tell what this kernel and container allow
    Doctor(doctor::DoctorArgs),
    /// Work with profiles
    Profile(profile::ProfileArgs),
    /// Propose a profile from what recorded sessions did
    Learn(learn::LearnArgs),
    /// Investigate the log
    Audit(audit::AuditArgs),
    /// What servers say of their tools, and what is approved of it
    Server(server::ServerArgs),
    /// List the sessions that run now
    Ps(ps::PsArgs),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().take(4).collect();
    if let [_, init, control] = words.as_slice()
        && init == OsStr::new(INIT)
        && let Some(control) = control.to_str().and_then(|control| control.parse().ok())
    {
        crate::sandbox::init::run(control);
    }
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Help that was asked for goes to stdout and is no error.
            let status = if error.use_stderr() { exit::USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    match line.command {
        Command::Run(args) => run::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::DemoServer(args) => demo::server::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Profile(args) => around(|around| profile::run(args, around)),
        Command::Learn(args) => around(|around| learn::run(&args, around)),
        Command::Audit(args) => around(|around| audit::run(&args, around)),
        Command::Server(args) => around(|around| server::run(&args, &around.directories)),
        Command::Ps(args) => around(|around| ps::run(&args, &around.directories)),
    }
}

fn around(run: impl FnOnce(&Surroundings) -> ExitCode) -> ExitCode {
    match Surroundings::find() {
        Ok(around) => run(&around),
        Err(error) => {
            diagnostic::tell(&format!("error: {error}\n"));
            ExitCode::from(exit::CONFIGURATION)
        }
    }
}
