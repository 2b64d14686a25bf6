//! `caponier audit diff`: what one session did that another one did not.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::audit::behaviour::{Behaviour, Deed, Kind, Times};
use crate::audit::session;
use crate::cli::audit::notices::note;
use crate::cli::audit::overview::Overview;
use crate::cli::audit::{Folder, fail, finish};
use crate::cli::term::escape::escape;
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;

/// Compare two sessions: files, hosts, programs, tools and refusals that only one of them has
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The session to compare with, or the beginning of its name
    #[arg(value_name = "A")]
    before: String,
    /// The session that is looked at
    #[arg(value_name = "B")]
    after: String,
    /// Exit with 1 where they differ
    #[arg(long)]
    exit_code: bool,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

/// Runs it; 1 when there is no such session, and with `--exit-code` where the two differ.
pub(super) fn run(args: &DiffArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let (before, after) = match (Side::of(&dir, &args.before), Side::of(&dir, &args.after)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(error), _) | (_, Err(error)) => return fail(&*error, &dir),
    };
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let (gone, new) = (before.behaviour.beyond(&after.behaviour), after.behaviour.beyond(&before.behaviour));
    let differs = !gone.is_empty() || !new.is_empty();
    let written = match args.json {
        true => as_json(&before, &after, (&gone, &new), &mut out),
        false => as_text(&before, &after, (&gone, &new), terminal, &mut out),
    };
    let status = finish(written.and_then(|()| out.flush()), &dir);
    if status == ExitCode::SUCCESS && args.exit_code && differs { ExitCode::FAILURE } else { status }
}

/// One of the two.
struct Side {
    session: String,
    overview: Overview,
    behaviour: Behaviour,
}

impl Side {
    fn of(dir: &Path, asked: &str) -> Result<Side, Box<dyn std::error::Error>> {
        let files = session::find(dir, asked)?;
        let (overview, behaviour) = (Overview::of(dir, &files)?, Behaviour::of(dir, &files)?);
        Ok(Side { session: files.session, overview, behaviour })
    }
}

type Deeds<'a> = [(&'a Deed, &'a Times)];

const KINDS: [(Kind, &str); 5] = [
    (Kind::Tools, "tools"),
    (Kind::Processes, "processes"),
    (Kind::Files, "files"),
    (Kind::Hosts, "hosts"),
    (Kind::Denials, "denials"),
];

fn as_json(
    before: &Side,
    after: &Side,
    (gone, new): (&Deeds<'_>, &Deeds<'_>),
    out: &mut impl Write,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct One<'a> {
        how: &'a str,
        what: &'a str,
        count: u64,
        event: String,
    }
    let list = |side: &Side, deeds: &Deeds<'_>| -> Map<String, Value> {
        KINDS
            .iter()
            .map(|(kind, name)| {
                let of_kind = deeds.iter().filter(|(deed, _)| deed.kind == *kind).map(|(deed, times)| One {
                    how: &deed.how,
                    what: &deed.what,
                    count: times.count,
                    event: format!("{}:{}", side.session, times.seq),
                });
                ((*name).to_owned(), json!(of_kind.collect::<Vec<_>>()))
            })
            .collect()
    };
    let report = json!({
        "v": 1,
        "same": gone.is_empty() && new.is_empty(),
        "complete": !before.behaviour.is_cut && !after.behaviour.is_cut,
        "a": before.overview.json(),
        "b": after.overview.json(),
        "only_a": list(before, gone),
        "only_b": list(after, new),
    });
    serde_json::to_writer(&mut *out, &report)?;
    out.write_all(b"\n")
}

fn as_text(
    before: &Side,
    after: &Side,
    (gone, new): (&Deeds<'_>, &Deeds<'_>),
    terminal: Terminal,
    out: &mut impl Write,
) -> io::Result<()> {
    for (name, side) in [("A", before), ("B", after)] {
        writeln!(out, "{}", terminal.paint(Style::Bold, name))?;
        side.overview.write(terminal, out)?;
        if side.behaviour.is_cut {
            note(
                "it did more different things than are compared: the comparison is not complete",
                terminal,
                out,
            )?;
        }
    }
    for (kind, name) in KINDS {
        let of_kind = |deeds: &Deeds<'_>| deeds.iter().filter(|(deed, _)| deed.kind == kind).count();
        if of_kind(gone) + of_kind(new) == 0 {
            continue;
        }
        writeln!(out, "\n{}", terminal.paint(Style::Bold, name))?;
        for (sign, style, deeds, side) in [("-", Style::Dim, gone, before), ("+", Style::Yellow, new, after)]
        {
            let style = if kind == Kind::Denials && sign == "+" { Style::Red } else { style };
            for (deed, times) in deeds.iter().filter(|(deed, _)| deed.kind == kind) {
                let count = if times.count > 1 { format!("  x{}", times.count) } else { String::new() };
                let line =
                    format!("{sign} {}  {}{count}  {}:{}", deed.how, deed.what, side.session, times.seq);
                writeln!(out, "{}", terminal.paint(style, &escape(&line)))?;
            }
        }
    }
    let verdict = match (gone.len(), new.len()) {
        (0, 0) => "both did the same".to_owned(),
        (gone, new) => format!("only in A: {gone}, only in B: {new}"),
    };
    writeln!(out, "\n{verdict}")
}
