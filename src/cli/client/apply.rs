//! A change of several files: shown, asked about, made one file after the other, and told.

use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::client::{Refused, Shown, is_interactive, report, shown_path};
use crate::cli::diagnostic::{self, written};
use crate::cli::term::escape::escape;
use crate::cli::term::{Style, Terminal};
use crate::clients::file::digest;
use crate::clients::kept::{self, Kept, Origin, Record};
use crate::clients::survey::{Config, Planned, Survey};

/// What is done to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Wrap,
    Unwrap,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Action::Wrap => "wrap",
            Action::Unwrap => "unwrap",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Action::Wrap => "wrapped",
            Action::Unwrap => "unwrapped",
        }
    }
}

/// One file with its change.
pub(super) struct Change<'c> {
    pub(super) config: &'c Config,
    pub(super) planned: Planned,
    /// Of each server: its name, and its words before and after.
    pub(super) servers: Vec<Touched>,
    pub(super) notes: Vec<String>,
}

/// One server of a change.
pub(super) struct Touched {
    pub(super) name: String,
    pub(super) path: Vec<String>,
    pub(super) project: Option<String>,
    /// The profile that it gets, where one is named.
    pub(super) profile: Option<String>,
}

/// A server that stays as it is.
pub(super) struct Skipped<'c> {
    pub(super) config: &'c Config,
    pub(super) server: String,
    pub(super) state: &'static str,
    pub(super) why: String,
    /// Whether that is a failure: it was asked for by name, or it should have worked.
    pub(super) is_failure: bool,
}

/// Everything that a command is about to do.
pub(super) struct Work<'c> {
    pub(super) action: Action,
    pub(super) survey: &'c Survey,
    pub(super) changes: Vec<Change<'c>>,
    pub(super) skipped: Vec<Skipped<'c>>,
    /// Names that were asked for and that no server has.
    pub(super) missing: Vec<String>,
    /// Printed below the changes: what the profiles are, what is to do by hand.
    pub(super) besides: Vec<u8>,
    pub(super) json: bool,
    pub(super) yes: bool,
}

/// How the change of one file went.
struct Outcome {
    /// The name of the copy.
    backup: Option<String>,
    error: Option<String>,
}

impl Work<'_> {
    /// Shows it, asks where somebody can be asked, and does it where it is wanted.
    pub(super) fn run(self, kept: &Kept) -> Result<ExitCode, Refused> {
        let shown = Shown::of(&self.survey.configs)?;
        if !self.json {
            let stdout = io::stdout();
            let terminal = Terminal::of(&stdout);
            let mut out = BufWriter::new(stdout.lock());
            let result = self.show(&shown, terminal, &mut out).and_then(|()| out.flush());
            drop(out);
            if result.is_err() {
                // Whoever cannot see it has not agreed to it.
                return Ok(written(result, 1));
            }
        }
        report::troubles(self.survey);
        for name in &self.missing {
            let shown = escape(name);
            diagnostic::tell(&format!(
                "error: no server of these clients is called \"{shown}\"; caponier client list shows all\n"
            ));
        }
        let failed = !self.survey.troubled.is_empty()
            || !self.missing.is_empty()
            || self.skipped.iter().any(|it| it.is_failure);
        if self.changes.is_empty() {
            let result = if self.json { self.report(&shown, &[], false) } else { self.nothing() };
            return Ok(written(result, u8::from(failed)));
        }
        let wanted = self.yes || (!self.json && is_interactive() && self.is_agreed());
        if !wanted {
            self.note_previews(kept)?;
            let result = if self.json { self.report(&shown, &[], false) } else { self.not_yet() };
            return Ok(written(result, u8::from(failed)));
        }
        let outcomes = self.make(kept)?;
        let failed = failed || outcomes.iter().any(|outcome| outcome.error.is_some());
        let result =
            if self.json { self.report(&shown, &outcomes, true) } else { self.tell(kept, &outcomes) };
        Ok(written(result, u8::from(failed)))
    }

    fn show(&self, shown: &Shown, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        for change in &self.changes {
            writeln!(out, "{}", terminal.paint(Style::Bold, &report::heading(change.config)))?;
            report::lines(out, terminal, shown, &change.planned.lines)?;
            for note in &change.notes {
                writeln!(
                    out,
                    "{}",
                    terminal.paint(Style::Yellow, &format!("note: {}", escape(&shown.line(note))))
                )?;
            }
            writeln!(out)?;
        }
        for skipped in &self.skipped {
            let line = format!(
                "{}: \"{}\" stays as it is: {}",
                skipped.config.place.client.name,
                escape(&skipped.server),
                escape(&shown.line(&skipped.why))
            );
            let style = if skipped.is_failure { Style::Red } else { Style::Dim };
            writeln!(out, "{}", terminal.paint(style, &line))?;
        }
        out.write_all(&self.besides)
    }

    fn nothing(&self) -> io::Result<()> {
        if self.survey.configs.is_empty() && self.survey.troubled.is_empty() {
            report::none_found();
        }
        writeln!(io::stdout(), "nothing to {}", self.action.name())
    }

    fn not_yet(&self) -> io::Result<()> {
        let name = self.action.name();
        writeln!(
            io::stdout(),
            "Nothing was changed. To do it: caponier client {name} --yes, with the same options"
        )
    }

    fn is_agreed(&self) -> bool {
        let files = match self.changes.len() {
            1 => "this file".to_owned(),
            many => format!("these {many} files"),
        };
        diagnostic::tell(&format!("Change {files}? [y/N] "));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    fn note_previews(&self, kept: &Kept) -> Result<(), Refused> {
        let _lock = kept.lock().map_err(|error| unusable(&error))?;
        let name = self.action.name();
        self.changes
            .iter()
            .try_for_each(|change| kept.set_preview(&change.config.file, name))
            .map_err(|error| unusable(&error))
    }

    fn make(&self, kept: &Kept) -> Result<Vec<Outcome>, Refused> {
        let _lock = kept.lock().map_err(|error| unusable(&error))?;
        let outcomes = self.changes.iter().map(|change| {
            let mut backup = None;
            let error = self.make_one(kept, change, &mut backup).err();
            if let Some(error) = &error {
                report::trouble(
                    change.config.place.client.name,
                    &shown_path(&change.config.place.path),
                    error,
                );
            }
            Outcome { backup, error }
        });
        Ok(outcomes.collect())
    }

    /// The copy and what undoes it come first: whatever ends us in between, nothing is lost.
    fn make_one(&self, kept: &Kept, change: &Change<'_>, backup: &mut Option<String>) -> Result<(), String> {
        let file = &change.config.file;
        let said = |error: kept::Error| error.to_string();
        if kept.is_stale(file, self.action.name()).map_err(said)? {
            let name = self.action.name();
            return Err(format!(
                "it was changed since `caponier client {name}` showed it; look again, without --yes"
            ));
        }
        file.replaceable().map_err(|error| error.to_string())?;
        let before = kept.record(&file.real).map_err(said)?;
        let copy = kept.back_up(change.config.place.client.id, file).map_err(said)?;
        *backup = Some(copy.clone());
        let record = self.record(change, before.as_ref(), copy);
        kept.set_record(&record).map_err(said)?;
        if let Err(error) = file.replace(&change.planned.text) {
            let back = before.unwrap_or_else(|| Record::new(&file.real, String::new(), None, Vec::new()));
            kept.set_record(&back).map_err(said)?;
            return Err(error.to_string());
        }
        kept.forget_previews(&file.real).map_err(said)
    }

    fn record(&self, change: &Change<'_>, before: Option<&Record>, copy: String) -> Record {
        let file = &change.config.file;
        let is_ours = before.is_some_and(|record| record.after == file.sha256);
        // Entries that are no longer wrapped were undone by somebody else.
        let mut entries = before.map(|record| record.entries.clone()).unwrap_or_default();
        let touched = |path: &Vec<String>| change.servers.iter().any(|server| server.path == *path);
        entries.retain(|entry| {
            !touched(&entry.path) && change.config.wrapped().any(|server| server.path == entry.path)
        });
        let origin = match before {
            Some(record) if is_ours => record.origin.clone(),
            _ if entries.is_empty() => Some(Origin { sha256: file.sha256.clone(), backup: copy }),
            _ => None,
        };
        if self.action == Action::Wrap {
            entries.extend(change.planned.undo.iter().cloned());
        }
        Record::new(&file.real, digest(change.planned.text.as_bytes()), origin, entries)
    }

    fn tell(&self, kept: &Kept, outcomes: &[Outcome]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for (change, outcome) in self.changes.iter().zip(outcomes) {
            let (None, Some(backup)) = (&outcome.error, &outcome.backup) else { continue };
            let names: Vec<String> =
                change.servers.iter().map(|server| escape(&server.name).into_owned()).collect();
            let copy = shown_path(&kept.folder().join(backup));
            writeln!(out, "{}: {} {}", report::heading(change.config), self.action.done(), names.join(", "))?;
            writeln!(out, "  as it was: {}", escape(&copy))?;
        }
        if outcomes.iter().any(|outcome| outcome.error.is_none()) {
            writeln!(out, "Clients that run now have to start their servers again.")?;
            if self.action == Action::Wrap {
                writeln!(
                    out,
                    "To see what they do: caponier audit query. To undo this: caponier client unwrap --yes"
                )?;
            }
        }
        Ok(())
    }

    fn report(&self, shown: &Shown, outcomes: &[Outcome], applied: bool) -> io::Result<()> {
        let file = |(at, change): (usize, &Change<'_>)| {
            let outcome = outcomes.get(at);
            let error = outcome.and_then(|outcome| outcome.error.as_ref());
            let servers =
                change.servers.iter().map(|server| json!({"server": server.name, "project": server.project}));
            json!({
                "client": change.config.place.client.id,
                "file": shown_path(&change.config.place.path),
                "target": shown_path(&change.config.file.real),
                "servers": servers.collect::<Vec<_>>(),
                "diff": report::difference(shown, &change.planned.lines),
                "notes": change.notes.iter().map(|note| shown.line(note)).collect::<Vec<_>>(),
                "changed": applied && error.is_none(),
                "error": error,
                "backup": outcome.and_then(|outcome| outcome.backup.as_ref()),
            })
        };
        let skipped = self.skipped.iter().map(|skipped| {
            json!({
                "client": skipped.config.place.client.id,
                "file": shown_path(&skipped.config.place.path),
                "server": skipped.server,
                "state": skipped.state,
                "why": shown.line(&skipped.why),
            })
        });
        let report: Value = json!({
            "v": 1,
            "action": self.action.name(),
            "applied": applied,
            "files": self.changes.iter().enumerate().map(file).collect::<Vec<_>>(),
            "skipped": skipped.collect::<Vec<_>>(),
            "missing": self.missing,
            "problems": report::problems(self.survey),
        });
        writeln!(io::stdout(), "{report}")
    }
}

/// Our own folder cannot be used.
pub(super) fn unusable(error: &kept::Error) -> Refused {
    let help = "look into it: without the folder nothing could be undone, so nothing is changed";
    Refused::configuration(error.to_string(), help)
}
