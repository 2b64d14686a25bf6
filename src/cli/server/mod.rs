//! `caponier server`: what is kept in the store, what servers say of themselves, and what of it is approved.

mod approve;
mod change;
mod diff;
mod managed;
mod probe;
mod update;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::surroundings::Surroundings;
use crate::cli::{diagnostic, exit};
use crate::mcp::pins::{Change, Fate, Kind};
use crate::policy::directories::Directories;
use crate::relay::pinned::{self, Store};

/// Servers that are kept in the store; what servers say of their tools, prompts and resources, and what is approved of it
#[derive(Debug, Args)]
pub struct ServerArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install a package into the store, whole and locked: later starts need no network
    Add(managed::AddArgs),
    /// List what is in the store
    List(managed::ListArgs),
    /// Remove a server from the store, or one of its versions; what is in use stays
    Remove(managed::RemoveArgs),
    /// Install another version beside the one in use, and probe both
    Stage(update::StageArgs),
    /// Make the staged version the one in use; the one before is kept
    Promote(update::PromoteArgs),
    /// Go back to the version that was in use before
    Rollback(update::RollbackArgs),
    /// Show what a server says otherwise than when it was first seen, and what a staged version does
    Diff(diff::DiffArgs),
    /// Approve what `diff` shows: of one tool, prompt, resource or template, or all of it
    Approve(approve::ApproveArgs),
}

/// Runs it.
pub fn run(args: &ServerArgs, around: &Surroundings) -> ExitCode {
    let directories = &around.directories;
    match &args.command {
        Command::Add(args) => managed::add(args, around),
        Command::List(args) => managed::list(args, around),
        Command::Remove(args) => managed::remove(args, around),
        Command::Stage(args) => update::stage(args, around),
        Command::Promote(args) => update::promote(args, around),
        Command::Rollback(args) => update::rollback(args, around),
        Command::Diff(args) => diff::run(args, directories),
        Command::Approve(args) => approve::run(args, directories),
    }
}

/// The pin file of a server.
fn store(directories: &Directories, server: &str) -> Store {
    Store::new(&directories.state, server)
}

/// Tells why it does not go on.
fn fail(message: &str, help: &str) -> ExitCode {
    let (message, help) = (diagnostic::escape(message), diagnostic::escape(help));
    diagnostic::tell(&format!("error: {message}\nhelp: {help}\n"));
    ExitCode::from(exit::CONFIGURATION)
}

fn unusable(error: &pinned::Error, server: &str) -> ExitCode {
    let help = format!(
        "look into the file; `caponier server approve --forget` with \"{server}\" has it seen as for the first time"
    );
    fail(&error.to_string(), &help)
}

fn unknown(server: &str, store: &Store) -> ExitCode {
    let message = format!("nothing is pinned of a server \"{server}\" ({})", store.path().display());
    fail(
        &message,
        "it is the name in the log: `caponier audit query` and `caponier ps` show it, `run --name` sets it",
    )
}

/// A change as part of a report for programs.
fn report(change: &Change) -> Value {
    let (fate, renamed_from) = match &change.fate {
        Fate::Added { renamed_from } => ("added", renamed_from.as_deref()),
        Fate::Removed => ("removed", None),
        Fate::Changed => ("changed", None),
    };
    json!({
        "kind": change.kind,
        "name": change.name,
        "fate": fate,
        "renamed_from": renamed_from,
        "class": change.class,
        "needs_approval": change.class.needs_approval(),
        "differences": change.differences,
    })
}

/// A change's own name, for people, not escaped.
fn subject(change: &Change) -> String {
    match change.kind {
        Kind::Instructions => "instructions".to_owned(),
        kind => format!("{} {}", kind.noun(), change.name),
    }
}
