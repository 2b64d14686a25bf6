//! `caponier audit query`: filters, and the answer as a table, as one JSON object, or as the lines themselves.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::audit::condition::Condition;
use crate::audit::query::filter::Filter;
use crate::audit::query::group::Groups;
use crate::audit::query::{self, Answer, Error, Match, Note};
use crate::cli::audit::filters::Filters;
use crate::cli::audit::notices::{self, Held, Notices};
use crate::cli::audit::{Folder, fail, is_closed, what};
use crate::cli::term::escape::escape;
use crate::cli::term::table::{Column, Table};
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;

/// List events: every filter that is given has to hold
#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    filters: Filters,
    /// The first N events; with --group-by, the N most frequent groups
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Count by the values of these fields
    #[arg(long, value_name = "FIELD", value_delimiter = ',', conflicts_with = "jsonl")]
    group_by: Vec<String>,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// The lines themselves
    #[arg(long)]
    jsonl: bool,
    #[command(flatten)]
    folder: Folder,
}

/// Runs the query; 1 when the log cannot be read.
pub(super) fn run(args: &QueryArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let filter = args.filters.filter();
    let mut answer = Rendered::new(args, (&dir, &filter), terminal, BufWriter::new(stdout.lock()));
    let outcome = match args.limit {
        Some(0) if args.group_by.is_empty() => Ok(()),
        _ => query::scan(&dir, &filter, &mut answer),
    };
    match outcome.and_then(|()| answer.finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Answer(error)) if is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error, &dir),
    }
}

const EVENTS: &[Column] = &[
    Column::short("time"),
    Column::short("server"),
    Column::short("call"),
    Column::short("what"),
    Column::detail("target"),
    Column::short("result"),
    Column::detail("id"),
];

const DENIED: &[Column] = &[
    Column::short("time"),
    Column::short("server"),
    Column::short("call"),
    Column::short("what"),
    Column::detail("target"),
    Column::short("reason"),
    Column::short("layer"),
    Column::detail("remedy"),
    Column::detail("id"),
];

enum Form<'a> {
    Table(Table<'a>),
    Json,
    Lines,
    Groups { groups: Groups, json: bool },
}

struct Rendered<'a, W: Write> {
    out: Held<W>,
    args: &'a QueryArgs,
    scope: (&'a Path, &'a Filter),
    terminal: Terminal,
    form: Form<'a>,
    zone: TimeZone,
    found: u64,
    notes: Vec<Note>,
    notices: Notices,
}

impl<'a, W: Write> Rendered<'a, W> {
    fn new(args: &'a QueryArgs, scope: (&'a Path, &'a Filter), terminal: Terminal, out: W) -> Self {
        let out = if args.json || args.jsonl { Held::free(out) } else { Held::back(out) };
        let form = match (args.group_by.is_empty(), args.json, args.jsonl) {
            (false, json, _) => Form::Groups { groups: Groups::new(&args.group_by), json },
            (true, true, _) => Form::Json,
            (true, _, true) => Form::Lines,
            (true, false, false) => {
                Form::Table(Table::new(if args.filters.denied { DENIED } else { EVENTS }, terminal))
            }
        };
        let (zone, notices) = (TimeZone::system(), Notices::default());
        Rendered { out, args, scope, terminal, form, zone, found: 0, notes: Vec::new(), notices }
    }

    /// Sessions of which not all was read: what has to be told of them is found out by itself.
    fn is_cut_short(&self) -> bool {
        self.args.group_by.is_empty() && self.args.limit.is_some_and(|limit| self.found >= limit)
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.is_cut_short() {
            self.notices = notices::survey(self.scope.0, self.scope.1)?;
        }
        self.out.release(&self.notices, self.terminal)?;
        Ok(self.write_end()?)
    }

    fn write_end(mut self) -> io::Result<()> {
        match self.form {
            Form::Table(table) => table.finish(&mut self.out)?,
            // The lines themselves and nothing else: what is to be known of them goes to stderr.
            Form::Lines => {
                let stderr = io::stderr();
                self.notices.write(Terminal::of(&stderr), &mut stderr.lock())?;
            }
            Form::Json => {
                self.out.write_all(if self.found == 0 { b"{\"v\":1,\"events\":[" } else { b"\n" })?;
                self.out.write_all(b"],\"conditions\":")?;
                serde_json::to_writer(&mut self.out, self.notices.json())?;
                self.out.write_all(b",\"notes\":")?;
                serde_json::to_writer(&mut self.out, &json_notes(&self.notes))?;
                self.out.write_all(b"}\n")?;
            }
            Form::Groups { groups, json } => {
                let limit =
                    self.args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
                let mut groups = groups.sorted();
                groups.truncate(limit);
                match json {
                    true => {
                        json_groups(&mut self.out, &self.args.group_by, groups, (&self.notices, &self.notes))?
                    }
                    false => draw_groups(&mut self.out, self.terminal, &self.args.group_by, groups)?,
                }
            }
        }
        self.out.flush()
    }
}

impl<W: Write> Answer for Rendered<'_, W> {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        self.found += 1;
        match &mut self.form {
            Form::Table(table) => {
                row(table, &mut self.out, found, self.args.filters.denied, &self.zone)?;
                if self.out.is_full() {
                    let notices = notices::survey(self.scope.0, self.scope.1).map_err(io::Error::other)?;
                    self.out.release(&notices, self.terminal)?;
                }
            }
            Form::Lines => writeln!(self.out, "{}", found.line)?,
            Form::Json => {
                self.out.write_all(if self.found == 1 { b"{\"v\":1,\"events\":[\n" } else { b",\n" })?;
                self.out.write_all(found.line.as_bytes())?;
            }
            Form::Groups { groups, .. } => {
                groups.add(found.line)?;
                return Ok(ControlFlow::Continue(()));
            }
        }
        Ok(match self.args.limit {
            Some(limit) if self.found >= limit => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    }

    fn session(&mut self, condition: Condition) -> io::Result<()> {
        self.notices.add_asked(condition, self.scope.1);
        Ok(())
    }

    #[allow(clippy::print_stderr, reason = "notes go beside the answer")]
    fn note(&mut self, note: Note) -> io::Result<()> {
        let place = note.line.map(|line| format!(":{line}")).unwrap_or_default();
        eprintln!("note: {}{place}: {}", escape(&note.file), escape(&note.detail));
        if self.args.json {
            self.notes.push(note);
        }
        Ok(())
    }
}

fn row(
    table: &mut Table<'_>,
    out: &mut impl Write,
    found: &Match<'_>,
    denied: bool,
    zone: &TimeZone,
) -> io::Result<()> {
    let record = &found.record()?;
    let time = what::local(&record.time, zone);
    let (calls, what, target) = (what::calls(record), what::what(record), what::target(record));
    let reason = record.reason.as_deref().unwrap_or("");
    let id = format!("{}:{}", &*record.session, record.seq);
    if denied {
        let layer = record.layer.as_deref().unwrap_or("");
        let remedy = what::remedy(record);
        let cells = [&*time, &record.server, &*calls, &*what, &*target, reason, layer, &*remedy, &*id];
        return table.row(out, Style::Plain, &cells);
    }
    let is_denied = record.is_denied();
    let result = if is_denied { reason } else { record.result.as_deref().unwrap_or("") };
    let style = if is_denied { Style::Red } else { Style::Plain };
    table.row(out, style, &[&*time, &record.server, &*calls, &*what, &*target, result, &*id])
}

#[derive(Serialize)]
struct JsonNote<'a> {
    file: &'a str,
    line: Option<u64>,
    detail: &'a str,
}

fn json_notes(notes: &[Note]) -> Vec<JsonNote<'_>> {
    notes.iter().map(|note| JsonNote { file: &note.file, line: note.line, detail: &note.detail }).collect()
}

fn json_groups(
    out: &mut impl Write,
    fields: &[String],
    groups: Vec<query::group::Group>,
    (notices, notes): (&Notices, &[Note]),
) -> io::Result<()> {
    let groups = groups.into_iter().map(|group| {
        let values: serde_json::Map<String, Value> = fields.iter().cloned().zip(group.values).collect();
        serde_json::json!({"events": group.events, "times": group.times, "values": values})
    });
    let groups = Value::Array(groups.collect());
    serde_json::to_writer(
        &mut *out,
        &serde_json::json!({"v": 1, "groups": groups, "conditions": notices.json(), "notes": json_notes(notes)}),
    )?;
    out.write_all(b"\n")
}

fn draw_groups(
    out: &mut impl Write,
    terminal: Terminal,
    fields: &[String],
    groups: Vec<query::group::Group>,
) -> io::Result<()> {
    let heading = escape(&fields.join(", ")).to_uppercase();
    writeln!(out, "{}", terminal.paint(Style::Bold, &format!("{:>7}  {:>7}  {heading}", "EVENTS", "TIMES")))?;
    for group in groups {
        let values: Vec<String> = group
            .values
            .iter()
            .map(|value| match value {
                Value::String(text) => escape(text).into_owned(),
                Value::Null => "-".to_owned(),
                other => escape(&other.to_string()).into_owned(),
            })
            .collect();
        writeln!(out, "{:>7}  {:>7}  {}", group.events, group.times, values.join("  "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{allowed, call_start, denied, session, settings};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        query: QueryArgs,
    }

    fn args(words: &str) -> QueryArgs {
        Line::try_parse_from(std::iter::once("query").chain(words.split_whitespace())).unwrap().query
    }

    fn answered(dir: &Path, words: &str) -> String {
        let args = args(words);
        let mut out = Vec::new();
        let filter = args.filters.filter();
        let mut answer = Rendered::new(&args, (dir, &filter), Terminal::NONE, &mut out);
        query::scan(dir, &filter, &mut answer).unwrap();
        answer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn log() -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path());
        session(
            &settings,
            &[call_start(1, "t"), denied("/a\x1b[2J"), allowed("/b"), denied("/a\x1b[2J"), denied("/c")],
        );
        (root, settings.dir)
    }

    #[test]
    fn the_table_shows_what_why_and_what_would_help_and_escapes() {
        let (_root, dir) = log();
        let text = answered(&dir, "--denied --limit 1");
        let row = text.lines().nth(1).unwrap();
        for word in
            ["sample", "1", "read", "/a\\x1b[2J", "fs.read.not-granted", "broker", "filesystem.read = ["]
        {
            assert!(row.contains(word), "{row}");
        }
        assert!(!text.contains('\x1b') && text.lines().count() == 2, "{text}");
    }

    #[test]
    fn json_is_one_object_whatever_is_found() {
        let (_root, dir) = log();
        for (words, found) in
            [("--json --denied", 3), ("--json", 6), ("--json --limit 1", 1), ("--json --call 9", 0)]
        {
            let answer: Value = serde_json::from_str(&answered(&dir, words)).unwrap();
            assert_eq!(
                (&answer["v"], answer["events"].as_array().unwrap().len()),
                (&Value::from(1), found),
                "{words}"
            );
            assert_eq!(answer["notes"], Value::Array(vec![]));
        }
    }

    #[test]
    fn lines_are_passed_on_as_they_stand() {
        let (_root, dir) = log();
        let mut files = crate::audit::days::days(&dir).unwrap().ours;
        let file = crate::audit::days::sessions(&dir, &files.remove(0)).unwrap().ours.remove(0);
        assert_eq!(answered(&dir, "--jsonl"), std::fs::read_to_string(dir.join(file.name(0))).unwrap());
    }

    #[test]
    fn groups_fold_what_repeats() {
        let (_root, dir) = log();
        let answer: Value =
            serde_json::from_str(&answered(&dir, "--json --denied --group-by path --limit 1")).unwrap();
        let expected = serde_json::json!([{"events": 2, "times": 2, "values": {"path": "/a\x1b[2J"}}]);
        assert_eq!(answer["groups"], expected);
        let text = answered(&dir, "--denied --group-by reason,path");
        assert!(text.contains("      2        2  fs.read.not-granted  /a\\x1b[2J\n"), "{text}");
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for words in
            ["--since soon", "--path [", "--json --jsonl", "--jsonl --group-by path", "--call x", "--what"]
        {
            let words = std::iter::once("query").chain(words.split_whitespace());
            assert!(Line::try_parse_from(words).is_err());
        }
    }
}
