//! The command line: arguments in, reports and exit status out.
//!
//! The program starts itself as `init`; that branch is taken before anything else happens, while there is one thread.

pub mod approve;
pub mod audit;
pub mod client;
pub mod completions;
mod demo;
pub mod diagnostic;
pub mod doctor;
pub mod exit;
mod install;
pub mod learn;
mod manual;
pub mod profile;
mod prove;
pub mod ps;
pub mod run;
pub mod server;
pub mod surroundings;
pub mod term;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::cli::surroundings::Surroundings;
use crate::supervisor::INIT;

/// Runs a local MCP server in a pen: confined by the kernel, judged at every message, recorded on one timeline
#[derive(Parser)]
#[command(name = "caponier", version, max_term_width = 100, disable_help_flag = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
    /// Print help: -h in short, --help with examples and exit statuses
    #[arg(short, long, global = true, action = clap::ArgAction::Help, display_order = 1000)]
    help: Option<bool>,
}

#[derive(Subcommand)]
enum Command {
    /// Start a server in its pen and relay its stdin and stdout
    Run(run::RunArgs),
    /// Watch a hostile server being held: a built-in one, run bare and in its pen
    Demo(demo::DemoArgs),
    /// Tell what this kernel and container allow; with --prove, attack a profile and tell what held
    Doctor(doctor::DoctorArgs),
    /// Work with profiles
    Profile(profile::ProfileArgs),
    /// Propose a profile from what recorded sessions did
    Learn(learn::LearnArgs),
    /// Investigate the log
    Audit(audit::AuditArgs),
    /// Put caponier in front of the servers of MCP clients, and take it away again
    Client(client::ClientArgs),
    /// Servers that are kept in the store, and what they say of their tools
    Server(server::ServerArgs),
    /// Answer a call that waits for your yes, or list what waits
    Approve(approve::ApproveArgs),
    /// Refuse a call that waits for your yes
    Deny(approve::DenyArgs),
    /// List the sessions that run now
    Ps(ps::PsArgs),
    /// Print a script that completes our commands in a shell
    Completions(completions::CompletionsArgs),
}

/// What we start ourselves as: commands of nobody's, in no help and no completion.
#[derive(Parser)]
enum Own {
    #[command(name = demo::SERVER)]
    DemoServer(demo::server::ServerArgs),
    #[command(name = prove::attacker::ATTACKER)]
    Attacker(prove::attacker::AttackerArgs),
}

/// The whole command line with its manual: what `--help`, man pages and completions are made of.
pub fn command() -> clap::Command {
    manual::taught(Line::command())
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
    crate::sys::lookup::own_parts_only();
    if words.get(1).is_some_and(|word| word == install::SUBCOMMAND) {
        return install::run();
    }
    if words.get(1).is_some_and(|word| word == demo::SERVER || word == prove::attacker::ATTACKER) {
        return match Own::try_parse() {
            Ok(Own::DemoServer(args)) => demo::server::run(&args),
            Ok(Own::Attacker(args)) => prove::attacker::run(&args),
            Err(error) => explain(error),
        };
    }
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => return explain(error),
    };
    match line.command {
        Command::Run(args) => run::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Profile(args) => around(|around| profile::run(args, around)),
        Command::Learn(args) => around(|around| learn::run(&args, around)),
        Command::Audit(args) => around(|around| audit::run(&args, around)),
        Command::Client(args) => around(|around| client::run(&args, around)),
        Command::Server(args) => around(|around| server::run(&args, around)),
        Command::Approve(args) => around(|around| approve::approve(&args, &around.directories)),
        Command::Deny(args) => around(|around| approve::deny(&args, &around.directories)),
        Command::Ps(args) => around(|around| ps::run(&args, &around.directories)),
        Command::Completions(args) => around(|around| completions::run(&args, &around.directories)),
    }
}

/// A command line that starts nothing: a wrong one, or one that asks for help. Help that was asked for goes to stdout and is
/// no error.
fn explain(error: clap::Error) -> ExitCode {
    let is_short = std::env::args_os().take_while(|word| word != "--").any(|word| word == "-h");
    let told = match error.kind() {
        // The manual is added here alone: a server's start does not wait for it.
        ErrorKind::DisplayHelp if !is_short => command().try_get_matches().err().unwrap_or(error),
        _ => error,
    };
    let status = if told.use_stderr() { exit::USAGE } else { 0 };
    let printed = told.print();
    if !told.use_stderr() {
        return diagnostic::written(printed, status);
    }
    if let Some(help) = slip(&told, std::env::args_os().skip(1)) {
        diagnostic::tell(&format!("help: {help}\n"));
    }
    ExitCode::from(status)
}

/// The slips of a first time: a server's command without `--` before it, or without `run`. And which word was not text.
fn slip(error: &clap::Error, mut words: impl Iterator<Item = OsString>) -> Option<String> {
    if error.kind() == ErrorKind::InvalidUtf8 {
        let word = words.find(|word| word.to_str().is_none())?;
        return Some(format!("this is no UTF-8: {}", diagnostic::escape(&word.to_string_lossy())));
    }
    let is_run = words.next().is_some_and(|word| word == "run");
    let (part, form) = match error.kind() {
        ErrorKind::UnknownArgument if is_run => (ContextKind::InvalidArg, "caponier run [OPTIONS] --"),
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, "caponier run --"),
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(part) else { return None };
    // An option that is misspelt, or a command that clap has a better guess for.
    let is_other = word.starts_with('-') || error.get(ContextKind::SuggestedSubcommand).is_some();
    if is_other || words.any(|other| other == "--") {
        return None;
    }
    Some(format!("a server's command is started by `{form} {} …`", diagnostic::escape(word)))
}

fn around(run: impl FnOnce(&Surroundings) -> ExitCode) -> ExitCode {
    match Surroundings::find() {
        Ok(around) => run(&around),
        Err(error) => {
            diagnostic::tell(&format!("error: {error}\nhelp: {}\n", error.help()));
            ExitCode::from(exit::CONFIGURATION)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slips_of_a_first_time_are_told_the_way() {
        let help = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            slip(&Line::try_parse_from(words.clone()).err().unwrap(), words.skip(1))
        };
        for (line, way) in [
            ("caponier run npx -y x", "`caponier run [OPTIONS] -- npx …`"),
            ("caponier run --profile git uvx x", "`caponier run [OPTIONS] -- uvx …`"),
            ("caponier npx -y x", "`caponier run -- npx …`"),
        ] {
            assert!(help(line).is_some_and(|help| help.contains(way)), "{line}: {:?}", help(line));
        }
        for line in
            ["caponier run --proflie x -- npx", "caponier docter", "caponier run x -- npx", "caponier ps x"]
        {
            assert_eq!(help(line), None, "{line}");
        }
    }
}
