//! `caponier server approve`: what a server says now is what it is held to from now on.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::diagnostic::written;
use crate::cli::server::{fail, report, store, subject, unknown, unusable};
use crate::cli::term::escape::escape;
use crate::mcp::pins::Kind;
use crate::policy::directories::Directories;

/// Approve what `diff` shows: of one tool, prompt, resource or template, or all of it
#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The server's name in the log
    server: String,
    /// Only this tool
    #[arg(group = "one")]
    tool: Option<String>,
    /// Only the prompt of this name
    #[arg(long, value_name = "NAME", group = "one")]
    prompt: Option<String>,
    /// Only the resource with this URI
    #[arg(long, value_name = "URI", group = "one")]
    resource: Option<String>,
    /// Only the resource template with this URI template
    #[arg(long, value_name = "TEMPLATE", group = "one")]
    template: Option<String>,
    /// Only the server's instructions
    #[arg(long, group = "one")]
    instructions: bool,
    /// Forget the server: it is seen as for the first time when it runs next
    #[arg(long, conflicts_with = "one")]
    forget: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl ApproveArgs {
    /// The one definition that is meant, where it is one.
    fn one(&self) -> Option<(Kind, &str)> {
        let named = [
            (Kind::Tool, self.tool.as_deref()),
            (Kind::Prompt, self.prompt.as_deref()),
            (Kind::Resource, self.resource.as_deref()),
            (Kind::ResourceTemplate, self.template.as_deref()),
            (Kind::Instructions, self.instructions.then_some("")),
        ];
        named.into_iter().find_map(|(kind, name)| Some((kind, name?)))
    }
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
        approved = known.approve(args.one());
        known
    });
    if let Err(error) = updated {
        return unusable(&error, &args.server);
    }
    match (args.one(), approved.is_empty()) {
        (Some((kind, name)), true) => {
            let what = match kind {
                Kind::Instructions => "the instructions".to_owned(),
                _ => format!("the {} \"{name}\"", kind.noun()),
            };
            let verb = if kind == Kind::Instructions {
                ("are", "they were", "were")
            } else {
                ("is", "it was", "was")
            };
            let message = format!(
                "{what} of \"{}\" {} as {} pinned, or never {} seen",
                args.server, verb.0, verb.1, verb.2
            );
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
