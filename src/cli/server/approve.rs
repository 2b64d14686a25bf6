//! `caponier server approve`: what a server says now is what it is held to from now on.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::server::{fail, report, store, subject, unknown, unusable, written};
use crate::cli::term::escape::escape;
use crate::policy::directories::Directories;

/// Approve what `diff` shows: of one tool, or all of it
#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The server's name in the log
    server: String,
    /// Only this tool
    #[arg(conflicts_with = "forget")]
    tool: Option<String>,
    /// Forget the server: it is seen as for the first time when it runs next
    #[arg(long)]
    forget: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(super) fn run(args: &ApproveArgs, directories: &Directories) -> ExitCode {
    let store = store(directories, &args.server);
    if args.forget {
        return match store.forget() {
            Ok(true) => tell(args, &[], "forgotten; the next run pins what it sees"),
            Ok(false) => unknown(&args.server, &store),
            Err(error) => unusable(&error, &args.server),
        };
    }
    match store.read() {
        Ok(Some(_)) => {}
        Ok(None) => return unknown(&args.server, &store),
        Err(error) => return unusable(&error, &args.server),
    }
    let mut approved = Vec::new();
    let updated = store.update(|known| {
        let mut known = known.unwrap_or_default();
        approved = known.approve(args.tool.as_deref());
        known
    });
    if let Err(error) = updated {
        return unusable(&error, &args.server);
    }
    match (&args.tool, approved.is_empty()) {
        (Some(tool), true) => {
            let message =
                format!("the tool \"{tool}\" of \"{}\" is as it was pinned, or never was seen", args.server);
            fail(&message, "`caponier server diff` shows what waits for approval")
        }
        _ => tell(args, &approved.iter().map(|it| (report(it), subject(it))).collect::<Vec<_>>(), "approved"),
    }
}

fn tell(args: &ApproveArgs, approved: &[(Value, String)], what: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    let result = if args.json {
        let approved: Vec<&Value> = approved.iter().map(|(value, _)| value).collect();
        writeln!(
            out,
            "{}",
            json!({"v": 1, "server": args.server, "forgotten": args.forget, "approved": approved})
        )
    } else if approved.is_empty() && !args.forget {
        writeln!(out, "{}: nothing waits for approval", escape(&args.server))
    } else {
        let mut lines = || {
            for (_, subject) in approved {
                writeln!(out, "{what}: {}", escape(subject))?;
            }
            let note = "sessions that run now keep to what they began with";
            match args.forget {
                true => writeln!(out, "{}: {what}", escape(&args.server)),
                false => writeln!(out, "{note}: have the client start the server again"),
            }
        };
        lines()
    };
    written(result, 0)
}
