//! What stands at the top of a report: which of the sessions that it rests on were cut off, lost events or ran
//! degraded. A report never looks more complete than its log.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use crate::audit::condition::{Condition, Standing};
use crate::audit::count::counted;
use crate::audit::query::filter::Filter;
use crate::audit::query::{self, Answer, Match, Note};
use crate::cli::term::escape::escape;
use crate::cli::term::table::fold;
use crate::cli::term::{Style, Terminal};

/// Sessions that are named; the rest is counted.
const NAMED: usize = 3;

/// Conditions of the sessions of one report.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Those of which something has to be said.
    told: Vec<Condition>,
    sessions: u64,
}

impl Notices {
    /// Takes one session's condition.
    pub(super) fn add(&mut self, condition: Condition) {
        self.sessions += 1;
        if !condition.is_whole() {
            self.told.push(condition);
        }
    }

    /// Takes it, if sessions of its server are asked for.
    pub(super) fn add_asked(&mut self, condition: Condition, filter: &Filter) {
        if filter.takes_server(&condition.server) {
            self.add(condition);
        }
    }

    /// For `--json`: those of which something has to be said.
    pub(super) fn json(&self) -> &[Condition] {
        &self.told
    }

    /// Writes them; nothing where every record is whole.
    pub(super) fn write(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        let cut = |condition: &&Condition| condition.standing == Standing::Killed || condition.torn;
        let degraded = |condition: &&Condition| !condition.degraded.is_empty();
        self.kind(
            "cut off, so that what happened last may be missing",
            cut,
            |_| String::new(),
            terminal,
            out,
        )?;
        let lost = |condition: &Condition| format!(" ({})", counted(condition.lost, "event"));
        self.kind("that lost events", |condition| condition.lost > 0, lost, terminal, out)?;
        let reasons = |condition: &Condition| format!(" ({})", condition.degraded.join("; "));
        self.kind("degraded", degraded, reasons, terminal, out)
    }

    fn kind(
        &self,
        what: &str,
        is_of_it: impl Fn(&&Condition) -> bool,
        more: impl Fn(&Condition) -> String,
        terminal: Terminal,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let found: Vec<&Condition> = self.told.iter().filter(is_of_it).collect();
        let Some(rest) = found.len().checked_sub(1) else { return Ok(()) };
        let names: Vec<String> =
            found.iter().take(NAMED).map(|of| format!("{}{}", of.session, more(of))).collect();
        let others = match (rest + 1).saturating_sub(NAMED) {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let of = counted(self.sessions, "session");
        let text = format!("{} of {of} {what}: {}{others}", found.len(), names.join(", "));
        note(&text, terminal, out)
    }
}

/// What the sessions that `filter` asks for have to be told of; no line of theirs is passed on.
pub(super) fn survey(dir: &Path, filter: &Filter) -> Result<Notices, query::Error> {
    struct Survey<'a>(Notices, &'a Filter);
    impl Answer for Survey<'_> {
        fn take(&mut self, _: &Match<'_>) -> io::Result<ControlFlow<()>> {
            Ok(ControlFlow::Continue(()))
        }

        fn note(&mut self, _: Note) -> io::Result<()> {
            Ok(())
        }

        fn session(&mut self, condition: Condition) -> io::Result<()> {
            self.0.add_asked(condition, self.1);
            Ok(())
        }
    }
    let nothing = Filter { nothing: true, ..filter.clone() };
    let mut survey = Survey(Notices::default(), filter);
    query::scan(dir, &nothing, &mut survey)?;
    Ok(survey.0)
}

/// A report that is held back until what has to stand before it is known.
#[derive(Debug)]
pub(super) struct Held<W> {
    out: W,
    /// `None`: nothing is held back any more.
    held: Option<Vec<u8>>,
}

impl<W: Write> Held<W> {
    /// Bytes that are held back at most.
    const ROOM: usize = 8 << 20;

    /// Holds back everything from now on.
    pub(super) fn back(out: W) -> Self {
        Held { out, held: Some(Vec::new()) }
    }

    /// Holds nothing back: what has to be told has another place.
    pub(super) fn free(out: W) -> Self {
        Held { out, held: None }
    }

    /// Whether there is no more room: the notices have to be found out, and the report goes on.
    pub(super) fn is_full(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.len() >= Self::ROOM)
    }

    /// Writes the notices, then what was held back.
    pub(super) fn release(&mut self, notices: &Notices, terminal: Terminal) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        notices.write(terminal, &mut self.out)?;
        self.out.write_all(&held)
    }
}

impl<W: Write> Write for Held<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.held {
            Some(held) => held.write(bytes),
            None => self.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_some() { Ok(()) } else { self.out.flush() }
    }
}

/// One line that stands before a report.
pub(super) fn note(text: &str, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let text = format!("note: {}", escape(text));
    let room = terminal.columns.unwrap_or(usize::MAX).max(16);
    for line in fold(&text, room) {
        writeln!(out, "{}", terminal.paint(Style::Yellow, line.trim_end()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_counted_and_named() {
        let mut notices = Notices::default();
        for at in 0..6u64 {
            notices.add(Condition {
                session: format!("S{at}"),
                server: "s".into(),
                standing: if at < 5 { Standing::Killed } else { Standing::Ended },
                torn: false,
                lost: at / 4,
                degraded: if at == 5 { vec!["a\x1bb".into()] } else { Vec::new() },
            });
        }
        notices.add(Condition {
            session: "S6".into(),
            server: "s".into(),
            standing: Standing::Running,
            torn: false,
            lost: 0,
            degraded: Vec::new(),
        });
        let mut out = Vec::new();
        notices.write(Terminal::NONE, &mut out).unwrap();
        let expected = "note: 5 of 7 sessions cut off, so that what happened last may be missing: S0, S1, S2 and 2 more\n\
                        note: 2 of 7 sessions that lost events: S4 (1 event), S5 (1 event)\n\
                        note: 1 of 7 sessions degraded: S5 (a\\x1bb)\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(notices.json().len(), 6);
    }
}
