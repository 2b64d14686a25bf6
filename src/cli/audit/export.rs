//! `caponier audit export`: the log for other programs, on stdout.
//!
//! What has to be known of it (cut off, lost, degraded, no event) goes to stderr, as with `query --jsonl`.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::audit::export::csv::Csv;
use crate::audit::export::ocsf::Ocsf;
use crate::audit::export::otlp::Otlp;
use crate::audit::export::{Export, Format};
use crate::audit::query::{self, Error};
use crate::cli::audit::filters::Filters;
use crate::cli::audit::notices::Notices;
use crate::cli::audit::{Folder, fail, is_closed};
use crate::cli::diagnostic;
use crate::cli::term::Terminal;
use crate::cli::term::escape::escape;
use crate::policy::directories::Directories;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Open Cybersecurity Schema Framework 1.5.0, one JSON object a line
    Ocsf,
    /// OpenTelemetry traces: lines of TracesData
    OtlpJson,
    /// One row for each event
    Csv,
}

/// Write events in a format of others: OCSF, OpenTelemetry, CSV
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Which format
    #[arg(long, value_name = "FORMAT")]
    format: Kind,
    #[command(flatten)]
    filters: Filters,
    /// The name of the machine that the log is of, for OCSF [default: this machine's]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    #[command(flatten)]
    folder: Folder,
}

/// Writes the export; 1 when the log cannot be read.
pub(super) fn run(args: &ExportArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let stdout = io::stdout();
    let format: Box<dyn Format> = match args.format {
        Kind::Ocsf => Box::new(Ocsf::new(args.device.clone().unwrap_or_else(this_machine))),
        Kind::OtlpJson => Box::new(Otlp::default()),
        Kind::Csv => Box::new(Csv),
    };
    let outcome =
        Export::new(format, BufWriter::new(stdout.lock())).map_err(Error::Answer).and_then(|mut export| {
            query::scan(&dir, &args.filters.filter(), &mut export)?;
            Ok(export.finish()?)
        });
    match outcome {
        Ok((conditions, notes)) => {
            for note in notes {
                let line = note.line.map(|line| format!(":{line}")).unwrap_or_default();
                diagnostic::tell(&format!("note: {}{line}: {}\n", escape(&note.file), escape(&note.detail)));
            }
            let mut notices = Notices::default();
            conditions.into_iter().for_each(|condition| notices.add(condition));
            let stderr = io::stderr();
            // A stderr that is gone is no reason to fail.
            let _ = notices.write(Terminal::of(&stderr), &mut stderr.lock());
            ExitCode::SUCCESS
        }
        Err(Error::Answer(error)) if is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error, &dir),
    }
}

fn this_machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
