//! `caponier audit explain`: one event, and what decided it.
//!
//! From the log alone: what was asked, by whom, in which call, which layer answered, how much that proves. With the
//! profile at hand: the line that decided or the lack of one, the smallest line that would allow it, and what else
//! that line would open, tried on the log before it is said. A profile that has changed since is judged as it is now,
//! and that is said.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Args;

use crate::audit::session;
use crate::cli::audit::explanation::Explanation;
use crate::cli::audit::found::Found;
use crate::cli::audit::overview::Overview;
use crate::cli::audit::recorded::Recorded;
use crate::cli::audit::{Folder, fail, finish};
use crate::cli::surroundings::Surroundings;
use crate::cli::term::Terminal;

/// Explain one event: what was asked, which line decided, what would allow it, and what else that would open
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// SESSION:SEQ, as every table shows it; the beginning of the session's name is enough
    #[arg(value_name = "ID", value_parser = event_id)]
    id: (String, u64),
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

fn event_id(text: &str) -> Result<(String, u64), &'static str> {
    let (session, seq) = text
        .rsplit_once(':')
        .ok_or("an event's name is SESSION:SEQ, as the last column of `caponier audit query` has it")?;
    let seq = seq.parse().map_err(|_| "what follows the `:` is the number of a line")?;
    Ok((session.to_owned(), seq))
}

/// Runs it; 1 when there is no such event.
pub(super) fn run(args: &ExplainArgs, around: &Surroundings) -> ExitCode {
    let dir = args.folder.path(&around.directories);
    let files = match session::find(&dir, &args.id.0) {
        Ok(files) => files,
        Err(error) => return fail(&error, &dir),
    };
    let explained =
        Overview::of(&dir, &files).and_then(|overview| Ok((Found::of(&dir, &files, args.id.1)?, overview)));
    let (found, overview) = match explained {
        Ok((Some(found), overview)) => (found, overview),
        Ok((None, _)) => {
            let error = session::Error::Line { session: files.session.clone(), seq: args.id.1 };
            return fail(&error, &dir);
        }
        Err(error) => return fail(&error, &dir),
    };
    let recorded = Recorded::of(&overview, around, None);
    let explanation = match Explanation::of(&dir, &found, &overview, &recorded) {
        Ok(explanation) => explanation,
        Err(error) => return fail(&*error, &dir),
    };
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let written = match args.json {
        true => serde_json::to_writer(&mut out, &explanation.json())
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n")),
        false => explanation.text(terminal, &mut out),
    };
    finish(written.and_then(|()| out.flush()), &dir)
}
