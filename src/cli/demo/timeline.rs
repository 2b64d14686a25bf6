//! The session as a timeline: each call with what happened inside it, denials marked.
//!
//! Repeats are folded into a count. Files that programs read while they start are only counted: what is shown in full is
//! everything that was refused, and everything in the folder that plays the home.

use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;

use crate::audit::count::counted;
use crate::audit::query::record::Record;
use crate::cli::audit::what;
use crate::cli::term::escape::escape;
use crate::cli::term::table::fold;
use crate::cli::term::{Style, Terminal};

const COLUMNS: usize = 100;
/// Columns of the time.
const INDENT: usize = 12;
/// Columns of the mark of what was denied.
const MARK: usize = 8;

/// One thing that happened.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    denied: bool,
    what: String,
    target: String,
    why: String,
    times: u64,
}

impl Item {
    fn of(record: &Record<'_>, home: &Path) -> Item {
        let why = match (record.reason.as_deref(), record.layer.as_deref()) {
            (Some(reason), Some(layer)) => format!("{reason} ({layer})"),
            _ => String::new(),
        };
        let (what, target) = (what::what(record).into_owned(), what::target(record));
        let target = target.replace(&*home.to_string_lossy(), "~");
        Item { denied: record.is_denied(), what, target, why, times: count(record) }
    }

    fn line(&self, time: &str) -> String {
        let Item { denied, what, target, why, times } = self;
        let mark = if *denied { "DENIED" } else { "" };
        let times = if *times > 1 { format!(" x{times}") } else { String::new() };
        format!("{time:<INDENT$}{mark:<MARK$}{what}{times}  {target}  {why}")
    }

    fn style(denied: bool) -> Style {
        if denied { Style::Red } else { Style::Plain }
    }
}

/// A call under way.
#[derive(Debug, Default)]
struct Call {
    number: u64,
    tool: String,
    begun: String,
    items: Vec<Item>,
    /// Files that were read beside what is shown.
    unshown: u64,
}

/// Draws the timeline of one session. `home` is shown as `~`.
pub(super) fn draw(
    records: &[Record<'_>],
    home: &Path,
    terminal: Terminal,
    out: &mut impl Write,
) -> io::Result<()> {
    let clock = Clock::from(records.first());
    let mut call: Option<Call> = None;
    let mut before = 0;
    for record in records {
        match (&*record.event, &mut call) {
            ("call.start", _) => {
                let tool = record.tool.as_deref().unwrap_or_default().to_owned();
                let (number, begun) = (record.call.unwrap_or_default(), clock.since(record));
                call = Some(Call { number, tool, begun, ..Call::default() });
            }
            ("call.end", open) => {
                if let Some(call) = open.take() {
                    close(&call, record.outcome.as_deref().unwrap_or_default(), terminal, out)?;
                }
            }
            (_, Some(call)) => take(call, record, home),
            (_, None) if is_background(record, home) => before += count(record),
            (_, None) => {
                let time = clock.since(record);
                lines(&Item::of(record, home).line(&time), Item::style(record.is_denied()), terminal, out)?;
            }
        }
    }
    if before > 0 {
        unshown(before, "between the calls, ", terminal, out)?;
    }
    Ok(())
}

fn take(call: &mut Call, record: &Record<'_>, home: &Path) {
    if is_background(record, home) {
        call.unshown += count(record);
        return;
    }
    let is_noise = &*record.event == "stdout.noise";
    let item = Item::of(record, home);
    let same = call.items.iter_mut().find(|seen| {
        (&seen.what, &seen.why) == (&item.what, &item.why) && (is_noise || seen.target == item.target)
    });
    match same {
        Some(same) => same.times += item.times,
        None => call.items.push(item),
    }
}

/// Files outside the home that were read or looked for: libraries, settings of the machine.
fn is_background(record: &Record<'_>, home: &Path) -> bool {
    let inside = record.path.as_deref().is_some_and(|path| Path::new(path).starts_with(home));
    &*record.event == "file.access" && !record.is_denied() && !inside
}

fn count(record: &Record<'_>) -> u64 {
    record.count.unwrap_or(1)
}

fn close(call: &Call, outcome: &str, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let Call { number, tool, begun, items, unshown: others } = call;
    lines(&format!("{begun:<INDENT$}call {number}  {tool}  {outcome}"), Style::Bold, terminal, out)?;
    for item in items {
        lines(&item.line(""), Item::style(item.denied), terminal, out)?;
    }
    if *others > 0 {
        unshown(*others, "", terminal, out)?;
    }
    Ok(())
}

fn unshown(files: u64, when: &str, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let reads = counted(files, "read");
    let told = format!("{:INDENT$}{:MARK$}{when}{reads} of libraries and settings of the machine", "", "");
    lines(&told, Style::Dim, terminal, out)
}

/// One line, folded where it is too long; what is folded goes on below the text.
fn lines(text: &str, style: Style, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    const DEEP: usize = INDENT + MARK + 2;
    let room = terminal.columns.unwrap_or(COLUMNS).clamp(2 * DEEP, COLUMNS);
    let text = escape(text.trim_end());
    let (first, rest) = match fold(&text, room).first() {
        Some(first) => text.split_at(first.len()),
        None => (&*text, ""),
    };
    writeln!(out, "{}", terminal.paint(style, first.trim_end()))?;
    let rest = if rest.is_empty() { Vec::new() } else { fold(rest, room - DEEP) };
    for line in rest {
        writeln!(out, "{:DEEP$}{}", "", terminal.paint(style, line.trim_end()))?;
    }
    Ok(())
}

/// Time since the first line.
struct Clock(Option<Timestamp>);

impl Clock {
    fn from(first: Option<&Record<'_>>) -> Clock {
        Clock(first.and_then(|first| first.time.parse().ok()))
    }

    fn since(&self, record: &Record<'_>) -> String {
        match (self.0, record.time.parse::<Timestamp>()) {
            (Some(first), Ok(time)) => format!("{:7.3} s", time.duration_since(first).as_secs_f64()),
            _ => "?".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::log::Log;

    fn drawn(events: &[&str], columns: usize) -> String {
        let lines: Vec<String> = events
            .iter()
            .enumerate()
            .map(|(at, fields)| {
                format!(
                    r#"{{"v":1,"seq":{at},"time":"2026-11-23T16:20:0{at}.5Z","session":"S","server":"s",{fields},"prev":""}}"#
                )
            })
            .collect();
        let log = Log::of(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut out = Vec::new();
        let terminal = Terminal { columns: Some(columns), colours: false };
        draw(&log.records(), Path::new("/tmp/home"), terminal, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const SESSION: &[&str] = &[
        r#""event":"session.start","command":"server""#,
        r#""event":"call.start","call":1,"tool":"noise""#,
        r#""event":"file.access","path":"/lib/x.so","access":"read","verdict":"allow","count":3"#,
        r#""event":"stdout.noise","bytes":3,"excerpt":"\u001b[2J1""#,
        r#""event":"stdout.noise","bytes":3,"excerpt":"\u001b[2J2""#,
        r#""event":"file.access","path":"/tmp/home/.ssh/id","access":"read","verdict":"deny","reason":"fs.read.secret","layer":"landlock""#,
        r#""event":"file.access","path":"/tmp/home/n","access":"read","verdict":"allow""#,
        r#""event":"call.end","call":1,"tool":"noise","outcome":"ok""#,
        r#""event":"session.end","cause":"client_closed","calls":1"#,
    ];

    #[test]
    fn calls_stand_with_what_happened_in_them() {
        let expected = "  0.000 s           session.start  server\n\
                        \x20 1.000 s   call 1  noise  ok\n\
                        \x20                   stdout.noise x2  \\x1b[2J1\n\
                        \x20           DENIED  read  ~/.ssh/id  fs.read.secret (landlock)\n\
                        \x20                   read  ~/n\n\
                        \x20                   3 reads of libraries and settings of the machine\n\
                        \x20 8.000 s           session.end  client_closed\n";
        assert_eq!(drawn(SESSION, 100), expected);
    }

    #[test]
    fn lines_fit_and_lose_nothing() {
        let text = drawn(SESSION, 50);
        assert!(text.lines().all(|line| line.chars().count() <= 50), "{text}");
        let squeezed = |text: &str| text.replace([' ', '\n'], "");
        assert_eq!(squeezed(&text), squeezed(&drawn(SESSION, 100)));
    }
}
