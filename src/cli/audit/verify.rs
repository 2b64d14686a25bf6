//! `caponier audit verify`: says of each session whether its log is what was written, and where it is not.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Args;

use crate::audit::chain::Digest;
use crate::audit::count::counted;
use crate::audit::verify::report::{Break, SessionReport, Summary};
use crate::audit::verify::{self, Error, Scope};
use crate::cli::audit::{Folder, fail, is_closed};
use crate::cli::term::escape::escape;
use crate::cli::term::table::fold;
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;

/// Check chains, numbers and heads; exit status 1 on any break
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Only this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// A digest kept elsewhere: a line of heads.jsonl, or of the session named, must have it
    #[arg(long, value_name = "HASH", value_parser = digest)]
    expect: Option<Digest>,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

fn digest(text: &str) -> Result<Digest, &'static str> {
    Digest::parse(text.to_ascii_lowercase().as_bytes()).ok_or("not 64 hexadecimal digits")
}

/// Runs the check; 1 on any break, and when the log cannot be read.
pub(super) fn run(args: &VerifyArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let scope = Scope { dir: &dir, session: args.session.as_deref(), expect: args.expect };
    let verified = match args.json {
        true => as_json(&scope, &mut out),
        false => as_text(&scope, terminal, &mut out),
    };
    match verified.and_then(|summary| out.flush().map(|()| summary).map_err(Error::Report)) {
        Ok(summary) if summary.ok => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        // Whoever stopped reading never saw the verdict: this is no success.
        Err(Error::Report(error)) if is_closed(&error) => ExitCode::FAILURE,
        Err(error) => fail(&error, &dir),
    }
}

/// Sessions are written as they are checked, the summary last: the whole never stands in memory.
fn as_json(scope: &Scope<'_>, out: &mut impl Write) -> Result<Summary, Error> {
    let mut separator: &[u8] = b"{\"v\":1,\"sessions\":[\n";
    let summary = verify::verify(scope, |report| {
        out.write_all(std::mem::replace(&mut separator, b",\n"))?;
        Ok(serde_json::to_writer(&mut *out, report)?)
    })?;
    let mut close = || -> io::Result<()> {
        out.write_all(if summary.sessions == 0 { b"{\"v\":1,\"sessions\":[" } else { b"\n" })?;
        out.write_all(b"],\"summary\":")?;
        serde_json::to_writer(&mut *out, &summary)?;
        out.write_all(b"}\n")
    };
    close().map_err(Error::Report)?;
    Ok(summary)
}

fn as_text(scope: &Scope<'_>, terminal: Terminal, out: &mut impl Write) -> Result<Summary, Error> {
    let all = scope.session.is_some();
    let summary = verify::verify(scope, |report| tell_session(report, all, terminal, out))?;
    tell_summary(&summary, terminal, out).map_err(Error::Report)?;
    Ok(summary)
}

/// Sessions of which there is nothing to say are only counted, unless one was asked for by name.
fn tell_session(
    report: &SessionReport,
    always: bool,
    terminal: Terminal,
    out: &mut impl Write,
) -> io::Result<()> {
    if report.breaks.is_empty() && report.notes.is_empty() && !always {
        return Ok(());
    }
    let (word, style) = match (report.breaks.is_empty(), report.notes.is_empty()) {
        (false, _) => ("BROKEN", Style::Red),
        (true, false) => ("note", Style::Yellow),
        (true, true) => ("in order", Style::Green),
    };
    let server = escape(report.server.as_deref().unwrap_or("?"));
    let started = report.started.as_deref().unwrap_or("?");
    let word = terminal.paint(style, word);
    writeln!(
        out,
        "{word}  {}  {server}  {started}  {}",
        escape(&report.session),
        counted(report.lines, "line")
    )?;
    tell_breaks(&report.breaks, terminal, out)?;
    if report.more_breaks > 0 {
        writeln!(out, "    and {} more", report.more_breaks)?;
    }
    tell_notes(&report.notes, terminal, out)
}

fn tell_breaks(breaks: &[Break], terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    for found in breaks {
        let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
        let text = format!("{}{line}: {}", escape(&found.file), escape(&found.detail));
        indented(&text, terminal, out)?;
    }
    Ok(())
}

fn tell_notes(notes: &[String], terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    notes.iter().try_for_each(|note| indented(&escape(note), terminal, out))
}

fn indented(text: &str, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let room = terminal.columns.map_or(usize::MAX, |columns| columns.saturating_sub(4).max(16));
    fold(text, room).into_iter().try_for_each(|line| writeln!(out, "    {line}"))
}

fn tell_summary(summary: &Summary, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let Summary { sessions, running, pruned, killed, broken, lines, not_covered, heads, head, .. } = summary;
    if !summary.breaks.is_empty() {
        writeln!(out, "{}  heads.jsonl", terminal.paint(Style::Red, "BROKEN"))?;
        tell_breaks(&summary.breaks, terminal, out)?;
    }
    tell_notes(&summary.notes, terminal, out)?;
    let verdict = match summary.ok {
        true => terminal.paint(Style::Green, "in order"),
        false => terminal.paint(Style::Red, "BROKEN"),
    };
    let (sessions, lines) = (counted(*sessions, "session"), counted(*lines, "line"));
    writeln!(
        out,
        "{verdict}: {sessions} ({running} running, {killed} killed, {broken} broken; {pruned} more were pruned), {lines}, \
         {not_covered} of them not covered by heads.jsonl"
    )?;
    writeln!(out, "head: {head} (line {heads} of heads.jsonl; keep it elsewhere for --expect)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{denied, session, settings};
    use serde_json::Value;

    #[test]
    fn json_is_one_object_and_a_break_is_told_with_its_place() {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path());
        std::fs::create_dir_all(&settings.dir).unwrap();
        let scope = Scope { dir: &settings.dir, session: None, expect: None };
        let json = || -> (bool, Value) {
            let mut out = Vec::new();
            let summary = as_json(&scope, &mut out).unwrap();
            (summary.ok, serde_json::from_slice(&out).unwrap())
        };
        assert_eq!(json().1["sessions"], Value::Array(vec![]));
        std::fs::remove_dir(&settings.dir).unwrap();
        session(&settings, &[denied("/x"), denied("/y")]);
        let (ok, told) = json();
        assert_eq!((ok, &told["v"], &told["summary"]["lines"]), (true, &Value::from(1), &Value::from(3)));
        let day = crate::audit::days::days(&settings.dir).unwrap().ours.remove(0);
        let file = settings.dir.join(&day).join(format!("{}.jsonl", settings.session));
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("/y", "/z")).unwrap();
        let (ok, told) = json();
        assert!(!ok);
        assert_eq!(told["sessions"][0]["breaks"][0]["line"], 2);
        assert_eq!(told["sessions"][0]["breaks"][0]["kind"], "edited");
        let mut text = Vec::new();
        as_text(&scope, Terminal::NONE, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!("BROKEN  {}", settings.session)), "{text}");
        assert!(text.contains(&format!("{day}/{}.jsonl:2: ", settings.session)), "{text}");
    }

    #[test]
    fn digests_are_checked() {
        assert!(digest(&"AB".repeat(32)).is_ok());
        assert!(digest("ab").is_err());
    }
}
