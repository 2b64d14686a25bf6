//! `caponier audit`: investigate the log.

mod contents;
mod diff;
mod explain;
mod explanation;
mod export;
mod filters;
mod found;
mod notices;
mod overview;
mod prune;
mod query;
mod recorded;
mod replay;
mod report;
mod tail;
mod timeline;
mod verify;
pub(in crate::cli) mod what;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::diagnostic;
use crate::cli::surroundings::Surroundings;
use crate::cli::term::escape::escape;
use crate::policy::directories::Directories;

/// Investigate the log
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Export(Box<export::ExportArgs>),
    Query(Box<query::QueryArgs>),
    Report(Box<report::ReportArgs>),
    Timeline(timeline::TimelineArgs),
    Explain(explain::ExplainArgs),
    Replay(replay::ReplayArgs),
    Diff(diff::DiffArgs),
    Tail(Box<tail::TailArgs>),
    Prune(prune::PruneArgs),
    Verify(verify::VerifyArgs),
}

#[derive(Debug, Args)]
struct Folder {
    /// The folder of the log [default: $XDG_STATE_HOME/caponier/audit]
    #[arg(long = "audit-dir", value_name = "DIR")]
    audit_dir: Option<PathBuf>,
}

impl Folder {
    fn path(&self, directories: &Directories) -> PathBuf {
        self.audit_dir.clone().unwrap_or_else(|| directories.audit())
    }
}

/// Runs one of the commands. 0: done, nothing is wrong; 1: the log is broken, or cannot be read.
pub fn run(args: &AuditArgs, around: &Surroundings) -> ExitCode {
    let directories = &around.directories;
    match &args.command {
        Command::Export(args) => export::run(args, directories),
        Command::Query(args) => query::run(args, directories),
        Command::Report(args) => report::run(args, directories),
        Command::Timeline(args) => timeline::run(args, directories),
        Command::Explain(args) => explain::run(args, around),
        Command::Replay(args) => replay::run(args, around),
        Command::Diff(args) => diff::run(args, directories),
        Command::Tail(args) => tail::run(args, directories),
        Command::Prune(args) => prune::run(args, directories),
        Command::Verify(args) => verify::run(args, directories),
    }
}

/// Says on stderr what went wrong, and what to do about it.
pub(in crate::cli) fn fail(error: &(dyn std::error::Error + 'static), dir: &Path) -> ExitCode {
    use crate::audit::session::Error;
    if !dir.exists() {
        let told = escape(&dir.to_string_lossy()).into_owned();
        diagnostic::tell(&format!(
            "error: there is no log in {told}\nhelp: every `caponier run` records its session; where yours are recorded elsewhere, \
             say so with --audit-dir\n"
        ));
        return ExitCode::FAILURE;
    }
    let help = match error.downcast_ref::<Error>() {
        Some(Error::None { .. }) => {
            "`caponier audit query --event session.start` lists the sessions; --audit-dir is another log"
        }
        Some(Error::Several { .. }) => "give more of its name",
        Some(Error::Line { .. }) => "the last column of `caponier audit query` has the names of events",
        _ => "look at what it names: the log is in files of your own (docs/AUDIT.md)",
    };
    diagnostic::tell(&format!("error: {}\nhelp: {help}\n", escape(&error.to_string())));
    ExitCode::FAILURE
}

/// Whether the reader of our output went away, as `head` does: it has what it wanted.
fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// The exit status of a report: a reader that has seen enough is no error.
pub(in crate::cli) fn finish(written: io::Result<()>, dir: &Path) -> ExitCode {
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error, dir),
    }
}
