//! `caponier audit prune`: takes old sessions out of the log; what they were stays in `heads.jsonl`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::audit::count::counted;
use crate::audit::prune::{Pruned, prune};
use crate::audit::query::moment::{self, Moment};
use crate::cli::audit::{Folder, fail, finish, what};
use crate::cli::term::table::{Column, Table};
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;

/// Remove sessions that are over; the log still verifies, and says that they were there
#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Sessions whose last event is older than this: 30d, 6 months, 2026-11-23
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    older_than: Moment,
    /// Only tell
    #[arg(long)]
    dry_run: bool,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

const COLUMNS: &[Column] = &[
    Column::short("session"),
    Column::short("server"),
    Column::short("started"),
    Column::short("lines"),
    Column::short("bytes"),
    Column::detail("kept"),
];

/// Runs it; 1 when a session stays because it does not verify.
pub(super) fn run(args: &PruneArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let pruned = match prune(&dir, &args.older_than, args.dry_run) {
        Ok(pruned) => pruned,
        Err(error) => return fail(&error, &dir),
    };
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let written = match args.json {
        true => as_json(&pruned, args.dry_run, &mut out),
        false => as_table(&pruned, args.dry_run, terminal, &mut out),
    };
    let status = finish(written.and_then(|()| out.flush()), &dir);
    let stays = pruned.iter().any(|one| one.kept.is_some());
    if status == ExitCode::SUCCESS && stays { ExitCode::FAILURE } else { status }
}

fn as_json(pruned: &[Pruned], dry_run: bool, out: &mut impl Write) -> io::Result<()> {
    let (kept, gone): (Vec<_>, Vec<_>) = pruned.iter().partition(|one| one.kept.is_some());
    let bytes: u64 = gone.iter().map(|one| one.bytes).sum();
    let report = json!({"v": 1, "dry_run": dry_run, "pruned": gone, "kept": kept, "bytes": bytes});
    serde_json::to_writer(&mut *out, &report)?;
    out.write_all(b"\n")
}

fn as_table(pruned: &[Pruned], dry_run: bool, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let zone = TimeZone::system();
    let mut table = Table::new(COLUMNS, terminal);
    for one in pruned {
        let started = one.started.as_deref().map(|time| what::local(time, &zone)).unwrap_or_default();
        let style = if one.kept.is_some() { Style::Red } else { Style::Plain };
        let cells = [
            &*one.session,
            one.server.as_deref().unwrap_or("?"),
            &*started,
            &*one.lines.to_string(),
            &*one.bytes.to_string(),
            one.kept.as_deref().unwrap_or_default(),
        ];
        table.row(out, style, &cells)?;
    }
    table.finish(out)?;
    let kept = pruned.iter().filter(|one| one.kept.is_some()).count();
    let bytes: u64 = pruned.iter().filter(|one| one.kept.is_none()).map(|one| one.bytes).sum();
    let verb = if dry_run { "would be removed" } else { "removed" };
    writeln!(
        out,
        "{} {verb} ({}), {kept} kept",
        counted(pruned.len() - kept, "session"),
        counted(bytes, "byte")
    )
}
