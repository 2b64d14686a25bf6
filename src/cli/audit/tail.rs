//! `caponier audit tail`: the newest events of all sessions, and, with `-f`, those that come.
//!
//! Follows every session that runs or begins, in whatever file it goes on. New lines are looked for four times a
//! second; a log without any new line costs a look at the folder of the day and at the files that are written.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use crate::audit::condition::{event_of, is_held};
use crate::audit::days::{self, Files};
use crate::audit::query::filter::{Filter, Flight};
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};
use crate::audit::stamp::Stamp;
use crate::cli::audit::filters::Filters;
use crate::cli::audit::notices::{Notices, note};
use crate::cli::audit::{Folder, fail, is_closed, what};
use crate::cli::term::escape::escape;
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Bytes of one file that are read at a time.
const CHUNK: u64 = 4 << 20;

/// Show the newest events; with -f, also those that come
#[derive(Debug, Args)]
pub(super) struct TailArgs {
    /// Go on with what comes, until interrupted
    #[arg(short, long, conflicts_with = "json")]
    follow: bool,
    /// How many of the newest events
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    lines: usize,
    #[command(flatten)]
    filters: Filters,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
    /// The lines themselves
    #[arg(long)]
    jsonl: bool,
    #[command(flatten)]
    folder: Folder,
}

/// Runs it.
pub(super) fn run(args: &TailArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let filter = args.filters.filter();
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = stdout.lock();
    let told = follow(args, &dir, &filter, terminal, &mut out);
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(query::Error::Answer(error)) if is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error, &dir),
    }
}

fn follow(
    args: &TailArgs,
    dir: &Path,
    filter: &Filter,
    terminal: Terminal,
    out: &mut impl Write,
) -> Result<(), query::Error> {
    // What is written from here on is followed; what the newest lines already showed is not shown again.
    let mut live = Live::from_now(dir)?;
    let mut newest = Newest::read(dir, filter, args.lines)?;
    let lines = newest.take();
    if args.json {
        return Ok(as_json(&lines, &newest.notices, out)?);
    }
    let mut show = Show { out, terminal, jsonl: args.jsonl, zone: TimeZone::system() };
    if args.jsonl {
        let stderr = io::stderr();
        newest.notices.write(Terminal::of(&stderr), &mut stderr.lock())?;
    } else {
        newest.notices.write(terminal, show.out)?;
    }
    for line in &lines {
        show.line(line)?;
    }
    show.out.flush()?;
    if !args.follow {
        return Ok(());
    }
    live.passed(&newest);
    loop {
        for line in live.read_on(dir, filter)? {
            match line {
                Come::Line(line) => show.line(&line)?,
                Come::Note(text) => note(&text, Terminal::of(&io::stderr()), &mut io::stderr().lock())?,
            }
        }
        show.out.flush()?;
        std::thread::sleep(PAUSE);
    }
}

/// The newest matching lines of all sessions.
struct Newest {
    most: usize,
    /// Time, and the line; oldest first.
    kept: Vec<(String, String)>,
    notices: Notices,
    /// The last number that was seen of each session that was read.
    seen: std::collections::HashMap<String, u64>,
}

impl Newest {
    fn read(dir: &Path, filter: &Filter, most: usize) -> Result<Newest, query::Error> {
        let mut newest =
            Newest { most, kept: Vec::new(), notices: Notices::default(), seen: Default::default() };
        let mut sessions: Vec<(Stamp, Files)> = query::sessions(dir, filter)?
            .into_iter()
            .filter_map(|files| {
                let file = files.open(dir, *files.parts.last()?).ok()?;
                Some((Stamp::of(file.metadata().and_then(|metadata| metadata.modified()).ok()?), files))
            })
            .collect();
        sessions.sort_by(|(one, _), (other, _)| other.cmp(one));
        for (written, files) in sessions {
            let oldest = newest.kept.first().map(|(time, _)| time.as_bytes());
            if newest.kept.len() >= most && oldest.is_some_and(|oldest| *oldest > written.text()[..]) {
                break;
            }
            let mut of_session = OfSession { newest: &mut newest, filter };
            let _ = query::scan_session(dir, &files, filter, &mut of_session)?;
            newest.settle();
        }
        Ok(newest)
    }

    fn settle(&mut self) {
        self.kept.sort_by(|one, other| one.0.cmp(&other.0));
        self.kept.drain(..self.kept.len().saturating_sub(self.most));
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.kept).into_iter().map(|(_, line)| line).collect()
    }
}

struct OfSession<'a> {
    newest: &'a mut Newest,
    filter: &'a Filter,
}

impl Answer for OfSession<'_> {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = found.record()?;
        self.newest.seen.insert(record.session.to_string(), record.seq);
        self.newest.kept.push((record.time.to_string(), found.line.to_owned()));
        // Of one session only the newest are kept while it is read.
        if self.newest.kept.len() >= 2 * self.newest.most + 1024 {
            self.newest.settle();
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Note) -> io::Result<()> {
        Ok(())
    }

    fn session(&mut self, condition: crate::audit::condition::Condition) -> io::Result<()> {
        self.newest.notices.add_asked(condition, self.filter);
        Ok(())
    }
}

/// What came.
enum Come {
    Line(String),
    Note(String),
}

/// One file that is written.
struct Written {
    files: Files,
    part: u32,
    offset: u64,
    flight: Flight,
    /// Numbers up to this one were shown.
    seen: u64,
}

/// Files that are written, and names that were seen.
struct Live {
    known: HashSet<String>,
    written: Vec<Written>,
}

impl Live {
    /// Knows every file as it is now.
    fn from_now(dir: &Path) -> Result<Live, query::Error> {
        let mut live = Live { known: HashSet::new(), written: Vec::new() };
        for files in query::sessions(dir, &Filter::default())? {
            live.known.extend(files.parts.iter().map(|part| files.name(*part)));
            let Some(part) = files.parts.last().copied() else { continue };
            let Ok(file) = files.open(dir, part) else { continue };
            if is_held(&file) {
                let offset = whole(&file).unwrap_or(0);
                live.written.push(Written { files, part, offset, flight: Flight::default(), seen: 0 });
            }
        }
        Ok(live)
    }

    fn passed(&mut self, newest: &Newest) {
        for written in &mut self.written {
            written.seen = newest.seen.get(&written.files.session).copied().unwrap_or(0);
        }
    }

    /// New matching lines, and new files.
    fn read_on(&mut self, dir: &Path, filter: &Filter) -> Result<Vec<Come>, query::Error> {
        let mut come = Vec::new();
        self.look_for_new(dir, filter)?;
        let mut at = 0;
        while let Some(written) = self.written.get_mut(at) {
            let Ok(file) = written.files.open(dir, written.part) else {
                self.written.swap_remove(at);
                continue;
            };
            // Asked before reading: what is written no more has all its lines.
            let goes_on = is_held(&file);
            written.read(file, filter, &mut come)?;
            if goes_on { at += 1 } else { drop(self.written.swap_remove(at)) }
        }
        Ok(come)
    }

    fn look_for_new(&mut self, dir: &Path, filter: &Filter) -> Result<(), query::Error> {
        let unreadable = |source| query::Error::Unreadable { path: dir.to_owned(), source };
        let all = days::days(dir).map_err(unreadable)?.ours;
        // A session goes on in the folder of the day on which it began.
        let begun = self.written.iter().map(|written| written.files.day.clone());
        let mut days: Vec<String> = all.iter().rev().take(2).cloned().chain(begun).collect();
        days.sort_unstable();
        days.dedup();
        for day in days {
            for files in days::sessions(dir, &day).map_err(unreadable)?.ours {
                for part in &files.parts {
                    if self.known.insert(files.name(*part)) && filter.takes(&files.session) {
                        let (files, part) = (files.clone(), *part);
                        self.written.push(Written {
                            files,
                            part,
                            offset: 0,
                            flight: Flight::default(),
                            seen: 0,
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Written {
    fn read(&mut self, mut file: std::fs::File, filter: &Filter, come: &mut Vec<Come>) -> io::Result<()> {
        loop {
            file.seek(SeekFrom::Start(self.offset))?;
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(CHUNK + 1).read_to_end(&mut bytes)?;
            let Some(end) = memchr::memrchr(b'\n', &bytes) else {
                if bytes.len() as u64 > CHUNK {
                    let name = self.files.name(self.part);
                    come.push(Come::Note(format!("{name}: a line that is too long was passed over")));
                    self.offset += bytes.len() as u64;
                    continue;
                }
                return Ok(());
            };
            self.offset += end as u64 + 1;
            for line in bytes[..end].split(|byte| *byte == b'\n') {
                self.take(line, filter, come);
            }
        }
    }

    fn take(&mut self, line: &[u8], filter: &Filter, come: &mut Vec<Come>) {
        let text = std::str::from_utf8(line).ok();
        let Some((text, record)) =
            text.and_then(|text| Some((text, serde_json::from_str::<Record<'_>>(text).ok()?)))
        else {
            let name = self.files.name(self.part);
            return come.push(Come::Note(format!("{name}: a line that is not an event was passed over")));
        };
        if event_of(line) == b"audit.lost" {
            come.push(Come::Note(format!("session {} lost events", self.files.session)));
        }
        if filter.matches(&record, &mut self.flight) && record.seq > self.seen {
            come.push(Come::Line(text.to_owned()));
        }
    }
}

/// The length of a file's whole lines.
fn whole(mut file: &std::fs::File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let begin = length.saturating_sub(CHUNK);
    file.seek(SeekFrom::Start(begin))?;
    let mut end = Vec::new();
    file.take(CHUNK).read_to_end(&mut end)?;
    Ok(memchr::memrchr(b'\n', &end).map_or(begin, |newline| begin + newline as u64 + 1))
}

struct Show<'a, W> {
    out: &'a mut W,
    terminal: Terminal,
    jsonl: bool,
    zone: TimeZone,
}

impl<W: Write> Show<'_, W> {
    fn line(&mut self, line: &str) -> io::Result<()> {
        if self.jsonl {
            return writeln!(self.out, "{line}");
        }
        let record: Record<'_> = serde_json::from_str(line)?;
        let denied = record.is_denied();
        let result = if denied { &record.reason } else { &record.result };
        let words = [
            what::local(&record.time, &self.zone),
            record.server.to_string(),
            what::calls(&record),
            what::what(&record).into_owned(),
            what::target(&record).into_owned(),
            result.as_deref().unwrap_or_default().to_owned(),
            format!("{}:{}", &*record.session, record.seq),
        ];
        let words: Vec<String> =
            words.iter().filter(|word| !word.is_empty()).map(|word| escape(word).into_owned()).collect();
        let style = if denied { Style::Red } else { Style::Plain };
        writeln!(self.out, "{}", self.terminal.paint(style, &words.join("  ")))
    }
}

fn as_json(lines: &[String], notices: &Notices, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{{\"v\":1,\"events\":[{}],\"conditions\":", lines.join(",\n"))?;
    serde_json::to_writer(&mut *out, notices.json())?;
    out.write_all(b"}\n")?;
    out.flush()
}
