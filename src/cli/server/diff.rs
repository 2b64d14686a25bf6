//! `caponier server diff`: what a server says otherwise than when it was first seen, and what a staged version of it says
//! and does otherwise than the one in use.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::diagnostic::written;
use crate::cli::server::change::changed;
use crate::cli::server::update::{self, Staged};
use crate::cli::server::{fail, report, store, unknown, unusable};
use crate::cli::term::Terminal;
use crate::cli::term::escape::escape;
use crate::mcp::pins::known::Known;
use crate::mcp::pins::watch::{another, approval};
use crate::mcp::pins::{Change, Class, Finding, findings};
use crate::policy::directories::Directories;
use crate::store::server::Server;

/// Show what a server says otherwise than when it was first seen, and what a staged version does
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The server's name in the log
    server: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it; 1 when something waits for approval or acceptance.
pub(super) fn run(args: &DiffArgs, directories: &Directories) -> ExitCode {
    let store = store(directories, &args.server);
    let server = Server::new(&directories.data, &args.server);
    let record = match server.record() {
        Ok(record) => record,
        Err(error) => return fail(&error.to_string(), "`caponier server list` shows what is in the store"),
    };
    let staged = match record.as_ref().map(|record| update::staged(&server, record, directories)).transpose()
    {
        Ok(staged) => staged.flatten(),
        Err(error) => return fail(&error.to_string(), "stage it again"),
    };
    let known = match store.read() {
        Ok(Some(known)) => known,
        Ok(None) if staged.is_some() => Known::default(),
        Ok(None) => return unknown(&args.server, &store),
        Err(error) => return unusable(&error, &args.server),
    };
    let changes = known.changes();
    let waits = changes.iter().any(|change| change.class.needs_approval())
        || staged.as_ref().is_some_and(Staged::needs_acceptance);
    let strange =
        |change: &Change| known.seen.get(change.kind, &change.name).map(findings).unwrap_or_default();
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = stdout.lock();
    let result = match args.json {
        true => as_json(&args.server, &changes, strange, staged.as_ref(), &mut out),
        false => as_text(&args.server, &changes, strange, terminal, &mut out).and_then(|()| {
            if known.is_another() {
                writeln!(out, "{}", escape(&another(&args.server)))?;
            }
            match &staged {
                Some(staged) => writeln!(out).and_then(|()| staged.as_text(terminal, &mut out)),
                None => Ok(()),
            }
        }),
    };
    drop(out);
    written(result, u8::from(waits))
}

fn as_json(
    server: &str,
    changes: &[Change],
    strange: impl Fn(&Change) -> Vec<Finding>,
    staged: Option<&Staged<'_>>,
    out: &mut impl Write,
) -> io::Result<()> {
    let changes: Vec<Value> = changes
        .iter()
        .map(|change| {
            let mut value = report(change);
            value["findings"] = json!(strange(change));
            value
        })
        .collect();
    let staged = staged.map(Staged::as_json);
    writeln!(out, "{}", json!({"v": 1, "server": server, "changes": changes, "staged": staged}))
}

fn as_text(
    server: &str,
    changes: &[Change],
    strange: impl Fn(&Change) -> Vec<Finding>,
    terminal: Terminal,
    out: &mut impl Write,
) -> io::Result<()> {
    if changes.is_empty() {
        return writeln!(out, "{}: everything is as it was pinned", escape(server));
    }
    for change in changes {
        changed(change, &strange(change), terminal, out)?;
    }
    let waiting = changes.iter().filter(|change| change.class >= Class::Widening).count();
    if waiting > 0 {
        let command =
            escape(&approval(server, None).replacen("server diff", "server approve", 1)).into_owned();
        let wait = if waiting == 1 { "waits" } else { "wait" };
        writeln!(out, "\n{waiting} of {} {wait} for approval: {command}", changes.len())?;
    }
    Ok(())
}
