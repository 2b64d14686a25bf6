//! `caponier audit timeline`: one session in the order in which it happened, with what happened inside each call
//! indented below it.
//!
//! Lines are written as they are read: a session of any size needs no memory. Refusals are never folded.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use crate::audit::count::counted;
use crate::audit::days::Files;
use crate::audit::query::filter::Filter;
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};
use crate::audit::session::{self, Calls};
use crate::cli::audit::overview::Overview;
use crate::cli::audit::{Folder, fail, finish, what};
use crate::cli::term::escape::escape;
use crate::cli::term::table::fold;
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;

/// Show one session: its calls, and what happened inside each
#[derive(Debug, Args)]
pub(super) struct TimelineArgs {
    /// The session, or the beginning of its name
    #[arg(long, value_name = "ID")]
    session: String,
    /// Every access, also the hundreds with which a runtime starts
    #[arg(long)]
    all: bool,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

/// Draws it; 1 when there is no such session.
pub(super) fn run(args: &TimelineArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let files = match session::find(&dir, &args.session) {
        Ok(files) => files,
        Err(error) => return fail(&error, &dir),
    };
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let drawn = match args.json {
        true => json(&dir, &files, &mut out),
        false => text(&dir, &files, args.all, terminal, &mut out),
    };
    finish(drawn.and_then(|()| out.flush()), &dir)
}

/// `{"v":1, …overview…, "events":[…],"calls":[…]}`: events as they stand in the log.
fn json(dir: &Path, files: &Files, out: &mut impl Write) -> io::Result<()> {
    struct Json<'a, W> {
        out: &'a mut W,
        separator: &'static [u8],
        calls: Calls,
    }
    impl<W: Write> Answer for Json<'_, W> {
        fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
            self.out.write_all(std::mem::replace(&mut self.separator, b",\n"))?;
            self.calls.take(&found.record()?);
            self.out.write_all(found.line.as_bytes())?;
            Ok(ControlFlow::Continue(()))
        }

        fn note(&mut self, _: Note) -> io::Result<()> {
            Ok(())
        }
    }
    let overview = Overview::of(dir, files)?.json();
    out.write_all(b"{\"v\":1")?;
    for (name, value) in overview.as_object().into_iter().flatten() {
        write!(out, ",\"{name}\":{value}")?;
    }
    out.write_all(b",\"events\":[\n")?;
    let mut all = Json { out: &mut *out, separator: b"", calls: Calls::default() };
    let _ = query::scan_session(dir, files, &Filter::default(), &mut all)?;
    let calls = all.calls.finish();
    out.write_all(b"],\"calls\":")?;
    serde_json::to_writer(&mut *out, &calls)?;
    out.write_all(b"}\n")
}

fn text(dir: &Path, files: &Files, all: bool, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let overview = Overview::of(dir, files)?;
    overview.write(terminal, out)?;
    writeln!(out)?;
    let began = overview.text("time").parse().ok();
    let mut drawing = Drawing { out, terminal, all, began, open: Vec::new(), folded: Folded::default() };
    let _ = query::scan_session(dir, files, &Filter::default(), &mut drawing)?;
    drawing.unfold()
}

/// Columns of the time, and of the mark of a refusal.
const TIME: usize = 12;
const MARK: usize = 8;
const STEP: usize = 2;
/// Columns where the output has no width of its own.
const COLUMNS: usize = 200;
/// Allowed accesses in a row that are shown one by one inside a call.
const SHOWN: u64 = 12;

/// Allowed accesses in a row.
#[derive(Debug, Default)]
struct Folded {
    shown: u64,
    more: u64,
}

struct Drawing<'a, W> {
    out: &'a mut W,
    terminal: Terminal,
    all: bool,
    began: Option<Timestamp>,
    /// Calls in flight.
    open: Vec<u64>,
    folded: Folded,
}

impl<W: Write> Answer for Drawing<'_, W> {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = found.record()?;
        if !self.folds(&record) {
            self.unfold()?;
            self.draw(&record)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Note) -> io::Result<()> {
        // Told by the overview.
        Ok(())
    }
}

impl<W: Write> Drawing<'_, W> {
    /// Whether the line is an access like those before it, of which enough were shown.
    fn folds(&mut self, record: &Record<'_>) -> bool {
        if self.all || &*record.event != "file.access" || record.is_denied() {
            return false;
        }
        let inside = self.is_inside(record);
        if inside && self.folded.shown < SHOWN && self.folded.more == 0 {
            self.folded.shown += 1;
            return self.draw(record).is_ok();
        }
        self.folded.more += record.count.unwrap_or(1);
        true
    }

    fn unfold(&mut self) -> io::Result<()> {
        let Folded { more, .. } = std::mem::take(&mut self.folded);
        if more == 0 {
            return Ok(());
        }
        let (depth, what) = match self.open.is_empty() {
            true => (0, counted(more, "access") + " between the calls"),
            false => (1, counted(more, "more access")),
        };
        let (all, them) = if more == 1 { ("", "it") } else { ("all ", "them") };
        let text = format!("{what}, {all}allowed (--all shows {them})");
        self.line("", "", depth, &text, Style::Dim)
    }

    fn is_inside(&self, record: &Record<'_>) -> bool {
        record.calls().any(|call| self.open.contains(&call))
    }

    fn draw(&mut self, record: &Record<'_>) -> io::Result<()> {
        let time = self.since(&record.time);
        let denied = record.is_denied();
        let (mark, style) = if denied { ("DENIED", Style::Red) } else { ("", Style::Plain) };
        match (&*record.event, record.call) {
            ("call.start", Some(call)) => {
                self.open.push(call);
                let text = format!("call {call}  {}", what::target(record));
                self.line(&time, "", 0, &text, Style::Bold)
            }
            ("call.end", Some(call)) => {
                self.open.retain(|open| *open != call);
                let took = record.duration_us.map(|took| format!(", {}", what::duration(took)));
                let outcome = record.outcome.as_deref().unwrap_or("?");
                let reason =
                    record.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                let text = format!("call {call}  {outcome}{reason}{}", took.unwrap_or_default());
                let style = if outcome == "denied" { Style::Red } else { Style::Bold };
                self.line(&time, "", 0, &text, style)
            }
            _ => {
                let depth = usize::from(self.is_inside(record));
                self.line(&time, mark, depth, &self.words(record), style)
            }
        }
    }

    /// What happened, to what, and, of a refusal, why and by which name to ask further.
    fn words(&self, record: &Record<'_>) -> String {
        let mut text = format!("{}  {}", what::what(record), what::target(record));
        match record.count {
            Some(count) if count > 1 => text.push_str(&format!("  x{count}")),
            _ => {}
        }
        let several = record.calls().count() > 1;
        if several {
            text.push_str(&format!("  [calls {}]", what::calls(record)));
        }
        if record.is_denied() {
            let reason = record.reason.as_deref().unwrap_or("?");
            let layer = record.layer.as_deref().unwrap_or("?");
            text.push_str(&format!("  {reason} ({layer})  {}:{}", &*record.session, record.seq));
        } else if let Some(result) = record.result.as_deref().filter(|result| *result != "ok") {
            text.push_str(&format!("  {result}"));
        }
        text
    }

    fn since(&self, time: &str) -> String {
        match (self.began, time.parse::<Timestamp>()) {
            (Some(began), Ok(time)) => format!("{:.3} s", time.duration_since(began).as_secs_f64()),
            _ => "?".to_owned(),
        }
    }

    fn line(&mut self, time: &str, mark: &str, depth: usize, text: &str, style: Style) -> io::Result<()> {
        let indent = TIME + MARK + depth * STEP;
        let room = self.terminal.columns.unwrap_or(COLUMNS).saturating_sub(indent).max(24);
        let text = escape(text.trim_end());
        let mut head = format!("{time:>10}  {mark:<MARK$}{:width$}", "", width = depth * STEP);
        let lines: Vec<&str> = match self.terminal.columns {
            Some(_) => fold(&text, room),
            None => vec![&text],
        };
        for line in lines {
            writeln!(
                self.out,
                "{}{}",
                self.terminal.paint(style, &head),
                self.terminal.paint(style, line.trim_end())
            )?;
            head = format!("{:indent$}", "");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{allowed, call_end, call_start, denied, session, settings};
    use serde_json::Value;

    fn sample() -> (tempfile::TempDir, std::path::PathBuf, Files) {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path());
        let mut events: Vec<_> = (0..30).map(|at| allowed(&format!("/lib/{at}.so"))).collect();
        events.push(call_start(1, "read\x1b[2J"));
        events.extend((0..20).map(|at| allowed(&format!("/notes/{at}"))));
        events.push(denied("/home/me/.ssh/id\u{202e}"));
        events.push(call_end(1, "read\x1b[2J"));
        session(&settings, &events);
        let files = session::find(&settings.dir, &settings.session).unwrap();
        (root, settings.dir, files)
    }

    fn drawn(dir: &Path, files: &Files, all: bool, columns: Option<usize>) -> String {
        let mut out = Vec::new();
        text(dir, files, all, Terminal { columns, colours: false }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_happened_in_a_call_stands_below_it() {
        let (_root, dir, files) = sample();
        let text = drawn(&dir, &files, false, None);
        let body: Vec<&str> = text.split("\n\n").nth(1).unwrap().lines().collect();
        assert!(body[0].ends_with("30 accesses between the calls, all allowed (--all shows them)"), "{text}");
        assert!(body[1].ends_with("call 1  read\\x1b[2J"), "{text}");
        assert!(body[2].ends_with("            read  /notes/0"), "{text}");
        assert!(body[14].ends_with("8 more accesses, all allowed (--all shows them)"), "{text}");
        let denial = format!(
            "DENIED    read  /home/me/.ssh/id\\u{{202e}}  fs.read.not-granted (broker)  {}:52",
            files.session
        );
        assert!(body[15].ends_with(&denial), "{text}");
        assert!(body[16].contains("call 1  ok, 5 µs"), "{text}");
        assert!(!text.contains('\x1b') && !text.contains('\u{202e}'));
        let all = drawn(&dir, &files, true, None);
        assert_eq!(all.matches("read  /").count(), 51, "{all}");
    }

    #[test]
    fn lines_fit_the_terminal() {
        let (_root, dir, files) = sample();
        let text = drawn(&dir, &files, true, Some(60));
        let body = text.split("\n\n").nth(1).unwrap();
        assert!(body.lines().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn json_has_the_lines_and_the_calls() {
        let (_root, dir, files) = sample();
        let mut out = Vec::new();
        json(&dir, &files, &mut out).unwrap();
        let told: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&told["v"], &told["session"]), (&Value::from(1), &Value::from(files.session)));
        assert_eq!(told["events"].as_array().unwrap().len(), 54);
        assert_eq!(
            (&told["calls"][0]["denied"], &told["calls"][0]["call"]),
            (&Value::from(1), &Value::from(1))
        );
        assert_eq!(told["condition"]["standing"], "ended");
    }

    #[test]
    fn a_session_that_was_cut_off_says_so_first() {
        let (_root, dir, files) = sample();
        let file = dir.join(files.name(0));
        let text = std::fs::read_to_string(&file).unwrap();
        let kept: Vec<&str> = text.lines().take(40).collect();
        std::fs::write(&file, kept.join("\n") + "\n{\"v\":1,\"se").unwrap();
        let text = drawn(&dir, &files, false, None);
        let head = text.split("\n\n").next().unwrap();
        assert!(
            head.contains("note: it was cut off") && head.contains("note: its last line is torn"),
            "{text}"
        );
    }
}
