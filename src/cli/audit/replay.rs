//! `caponier audit replay`: would what a session did be allowed by this profile?
//!
//! Exit status 1 if something would be refused, 78 if the profile is wrong. A call that cannot be checked and that
//! every program does without (`syscall.unsupported`) is not held against a profile.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::audit::days::Files;
use crate::audit::query::filter::Filter;
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};
use crate::audit::replay::{Judge, Judgement};
use crate::audit::session;
use crate::cli::audit::notices::note;
use crate::cli::audit::overview::Overview;
use crate::cli::audit::recorded::Recorded;
use crate::cli::audit::{Folder, fail, finish, what};
use crate::cli::diagnostic;
use crate::cli::exit;
use crate::cli::profile::environment;
use crate::cli::surroundings::Surroundings;
use crate::cli::term::escape::escape;
use crate::cli::term::table::{Column, Table};
use crate::cli::term::{Style, Terminal};
use crate::policy::Environment;
use crate::profile::{Flags, Resolved};

/// Ask what a profile would have said to a session; exit status 1 if it would refuse something
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A profile's name, or a file
    #[arg(long, value_name = "NAME|FILE")]
    profile: String,
    /// The session, or the beginning of its name
    #[arg(long, value_name = "ID")]
    session: String,
    /// Which environment's files are meant: dev or prod [default: the session's own]
    #[arg(long, value_name = "ENV", value_parser = environment)]
    env: Option<Environment>,
    /// What ${workspace} stands for [default: the session's own]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Add what the session's own command line added (--read, --write …)
    #[arg(long)]
    with_flags: bool,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

/// Runs it.
pub(super) fn run(args: &ReplayArgs, around: &Surroundings) -> ExitCode {
    let dir = args.folder.path(&around.directories);
    let found = session::find(&dir, &args.session).map_err(|error| fail(&error, &dir)).and_then(|files| {
        let overview = Overview::of(&dir, &files).map_err(|error| fail(&error, &dir))?;
        Ok((files, overview))
    });
    let (files, overview) = match found {
        Ok(found) => found,
        Err(status) => return status,
    };
    let recorded = Recorded::of(&overview, around, args.workspace.as_deref());
    let flags = if args.with_flags { recorded.flags.clone() } else { Flags::default() };
    let name = absolute(&args.profile, around);
    let resolved = match recorded.resolve(&name, args.env.unwrap_or(recorded.environment), &flags) {
        Ok(resolved) => resolved,
        Err(problems) => {
            diagnostic::tell(&diagnostic::problems(&problems, diagnostic::Style::stderr()));
            return ExitCode::from(exit::CONFIGURATION);
        }
    };
    let replayed = match replay(&dir, &files, &recorded, &resolved) {
        Ok(replayed) => replayed,
        Err(error) => return fail(&*error, &dir),
    };
    let mut notes = recorded.notes.clone();
    if !args.with_flags && recorded.flags != Flags::default() {
        notes.push("the session's command line added grants of its own; --with-flags counts them".to_owned());
    }
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let report = Report { overview: &overview, resolved: &resolved, replayed: &replayed, notes: &notes };
    let written = match args.json {
        true => report.json(&mut out),
        false => report.text(terminal, &mut out),
    };
    let status = finish(written.and_then(|()| out.flush()), &dir);
    if status == ExitCode::SUCCESS && replayed.refused > 0 { ExitCode::FAILURE } else { status }
}

/// A file is meant from where we are, not from where the server was.
fn absolute(profile: &str, around: &Surroundings) -> String {
    let path = around.cwd.join(profile);
    let explicit = profile.starts_with(['.', '/', '~']) || profile.ends_with(".toml");
    if (explicit || profile.contains('/')) && path.is_file() {
        return path.display().to_string();
    }
    profile.to_owned()
}

/// One question, however often it was asked.
#[derive(Debug, Serialize)]
struct Asked {
    what: String,
    target: String,
    /// The first line that asked it.
    event: String,
    /// What it got: `allow`, `deny`.
    was: &'static str,
    count: u64,
    #[serde(flatten)]
    judgement: Judgement,
}

/// All answers.
#[derive(Debug, Default)]
struct Replayed {
    allowed: u64,
    refused: u64,
    open: u64,
    /// Lines that tell of nothing that a profile could refuse are not counted.
    asked: Vec<Asked>,
    known: HashMap<(String, String, bool, String), usize>,
}

fn replay(
    dir: &Path,
    files: &Files,
    recorded: &Recorded,
    resolved: &Resolved,
) -> Result<Replayed, Box<dyn std::error::Error>> {
    struct Replay<'a> {
        judge: Judge<'a>,
        all: Replayed,
    }
    impl Answer for Replay<'_> {
        fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
            let record = found.record()?;
            if let Some((_, judgement)) = self.judge.judge(&record) {
                self.all.add(&record, judgement);
            }
            Ok(ControlFlow::Continue(()))
        }

        fn note(&mut self, _: Note) -> io::Result<()> {
            Ok(())
        }
    }
    let mut replay = Replay { judge: recorded.judge(resolved)?, all: Replayed::default() };
    let _ = query::scan_session(dir, files, &Filter::default(), &mut replay)?;
    Ok(replay.all)
}

impl Replayed {
    fn add(&mut self, record: &Record<'_>, judgement: Judgement) {
        let count = record.count.unwrap_or(1);
        let denied = record.is_denied();
        // Every program tries it and does without.
        let is_fallback = judgement.reason.as_deref() == Some("syscall.unsupported");
        match judgement.verdict {
            None => self.open += count,
            _ if judgement.is_allowed() => self.allowed += count,
            _ if is_fallback => return,
            _ => self.refused += count,
        }
        if judgement.is_allowed() && !denied {
            return;
        }
        // The call that the gate refused has a `call.start` too: one question, asked once.
        let tool = record.tool.as_deref().filter(|_| &*record.event == "message.denied");
        if let Some(call) = tool.and_then(|tool| self.call_of(tool)) {
            call.event = format!("{}:{}", &*record.session, record.seq);
            call.was = "deny";
            self.refused = self.refused.saturating_sub(1);
            return;
        }
        let (what, target) = (what::what(record).into_owned(), what::target(record).into_owned());
        let key = (what, target, denied, judgement.reason.clone().unwrap_or_default());
        if let Some(asked) = self.known.get(&key).and_then(|at| self.asked.get_mut(*at)) {
            asked.count += count;
            return;
        }
        let (what, target) = (key.0.clone(), key.1.clone());
        self.known.insert(key, self.asked.len());
        let event = format!("{}:{}", &*record.session, record.seq);
        let was = if denied { "deny" } else { "allow" };
        self.asked.push(Asked { what, target, event, was, count, judgement });
    }

    /// The refused calls of a tool.
    fn call_of(&mut self, tool: &str) -> Option<&mut Asked> {
        self.asked
            .iter_mut()
            .find(|asked| asked.what == "call.start" && asked.target == tool && asked.judgement.is_refused())
    }

    fn of(&self, verdict: impl Fn(&Asked) -> bool) -> Vec<&Asked> {
        self.asked.iter().filter(|asked| verdict(asked)).collect()
    }
}

struct Report<'a> {
    overview: &'a Overview,
    resolved: &'a Resolved,
    replayed: &'a Replayed,
    notes: &'a [String],
}

const ASKED: &[Column] = &[
    Column::short("was"),
    Column::short("now"),
    Column::short("times"),
    Column::short("what"),
    Column::detail("target"),
    Column::short("reason"),
    Column::detail("line"),
    Column::detail("event"),
];

impl Report<'_> {
    fn is_the_same(&self) -> bool {
        self.resolved.policy.profile.sha256 == self.overview.text("profile_sha256")
    }

    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let Replayed { allowed, refused, open, .. } = self.replayed;
        let identity = &self.resolved.policy.profile;
        let mut report = json!({
            "v": 1,
            "ok": *refused == 0,
            "profile": {
                "name": identity.name,
                "file": identity.file,
                "sha256": identity.sha256,
                "is_the_recorded_one": self.is_the_same(),
            },
            "allowed": allowed,
            "refused": refused,
            "open": open,
            "refusals": self.replayed.of(|asked| asked.judgement.is_refused()),
            "newly_allowed": self.replayed.of(|asked| asked.judgement.is_allowed()),
            "cannot_be_told": self.replayed.of(|asked| asked.judgement.verdict.is_none()),
            "remarks": self.notes,
        });
        if let (Some(report), Some(overview)) = (report.as_object_mut(), self.overview.json().as_object()) {
            report.extend(overview.clone());
        }
        serde_json::to_writer(&mut *out, &report)?;
        out.write_all(b"\n")
    }

    fn text(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        self.overview.write(terminal, out)?;
        let identity = &self.resolved.policy.profile;
        let same =
            if self.is_the_same() { "the one that it ran under" } else { "not the one that it ran under" };
        let file = identity.file.display().to_string();
        writeln!(out, "replayed under {} ({}), {same}", escape(&identity.name), escape(&file))?;
        for told in self.notes {
            note(told, terminal, out)?;
        }
        note("paths are judged on the file system as it is now", terminal, out)?;
        writeln!(out)?;
        let mut table = Table::new(ASKED, terminal);
        for asked in &self.replayed.asked {
            let Asked { what, target, event, was, count, judgement } = asked;
            let (now, style) = match (judgement.is_allowed(), judgement.is_refused()) {
                (true, _) => ("allow", Style::Green),
                (_, true) => ("deny", Style::Red),
                _ => ("?", Style::Yellow),
            };
            let reason =
                judgement.reason.as_deref().unwrap_or(if now == "?" { &judgement.because } else { "" });
            let line = judgement.line.as_ref().map(ToString::to_string).unwrap_or_default();
            table.row(out, style, &[was, now, &count.to_string(), what, target, reason, &line, event])?;
        }
        table.finish(out)?;
        let Replayed { allowed, refused, open, .. } = self.replayed;
        let (style, verdict) = match refused {
            0 => (Style::Green, "nothing would be refused"),
            _ => (Style::Red, "something would be refused"),
        };
        let verdict = terminal.paint(style, verdict);
        writeln!(out, "{verdict}: {allowed} allowed, {refused} refused, {open} cannot be told from the log")
    }
}
