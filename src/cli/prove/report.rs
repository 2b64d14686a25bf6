//! What was proven, as values: the table and `--json` show the same.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::audit::count::counted;
use crate::cli::term::escape::escape;
use crate::cli::term::table::{Column, Table, fold};
use crate::cli::term::{Style, Terminal};
use crate::event::{ProofAttack, ProofOutcome, ProofResult};

/// Version of the JSON.
const SCHEMA: u32 = 1;
/// Columns where there is no terminal to ask.
const COLUMNS: usize = 100;

const ATTACKS: &[Column] = &[
    Column::short("attack"),
    Column::short("what it does"),
    Column::short("without pen"),
    Column::short("in the pen"),
    Column::short("outcome"),
    Column::detail("by"),
];

/// Everything.
#[derive(Debug)]
pub(super) struct Report {
    /// `session.start`.
    start: Value,
    session: String,
    attacks: Vec<ProofAttack>,
    pub(super) result: ProofResult,
}

impl Report {
    pub(super) fn new(
        start: Value,
        session: String,
        attacks: Vec<ProofAttack>,
        result: ProofResult,
    ) -> Report {
        Report { start, session, attacks, result }
    }

    /// `--json`: one object. `attacks` and the numbers are as `proof.attack` and `proof.result` in docs/AUDIT.md.
    ///
    /// # Errors
    /// As `write(2)`.
    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Whole<'a> {
            v: u32,
            version: u32,
            #[serde(flatten)]
            result: &'a ProofResult,
            profile: &'a Value,
            profile_file: &'a Value,
            profile_sha256: &'a Value,
            env: &'a Value,
            kernel: &'a Value,
            enforced: &'a Value,
            degraded: &'a Value,
            session: &'a str,
            attacks: &'a [ProofAttack],
        }
        let start = &self.start;
        let whole = Whole {
            v: SCHEMA,
            version: SCHEMA,
            result: &self.result,
            profile: &start["profile"],
            profile_file: &start["profile_file"],
            profile_sha256: &start["profile_sha256"],
            env: &start["env"],
            kernel: &start["kernel"],
            enforced: &start["enforced"],
            degraded: &start["degraded"],
            session: &self.session,
            attacks: &self.attacks,
        };
        serde_json::to_writer(&mut *out, &whole)?;
        out.write_all(b"\n")
    }

    /// The table.
    ///
    /// # Errors
    /// As `write(2)`.
    pub(super) fn write_text(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        let word = |name: &str| escape(self.start[name].as_str().unwrap_or("?")).into_owned();
        let abi = &self.start["enforced"]["landlock_abi"];
        let (profile, env, kernel) = (word("profile"), word("env"), word("kernel"));
        let head = format!("profile {profile} ({env}) on Linux {kernel}, Landlock {abi}");
        writeln!(out, "{}\n", terminal.paint(Style::Bold, &head))?;
        let mut table = Table::new(ATTACKS, terminal);
        for attack in &self.attacks {
            let style = match attack.outcome {
                ProofOutcome::Open | ProofOutcome::Unclear => Style::Red,
                ProofOutcome::Unproven => Style::Dim,
                ProofOutcome::Allowed => Style::Yellow,
                ProofOutcome::Blocked => Style::Plain,
            };
            let outcome = outcome(attack.outcome);
            let cells =
                [&attack.attack, &attack.what, &attack.unconfined, &attack.confined, outcome, &by(attack)];
            table.row(out, style, &cells)?;
        }
        table.finish(out)?;
        self.sum(terminal, out)
    }

    fn sum(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        let ProofResult { ok, blocked, open, allowed, unproven, unclear } = &self.result;
        let style = if *ok { Style::Green } else { Style::Red };
        let mut line = format!("{} blocked, {open} open", counted(*blocked, "attack"));
        for (count, what) in [
            (unclear, "unclear"),
            (allowed, "allowed by the profile"),
            (unproven, "not provable here: they do not work without a pen either"),
        ] {
            if *count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        writeln!(out, "\n{}", terminal.paint(style, &line))?;
        for degraded in self.start["degraded"].as_array().into_iter().flatten() {
            let told = escape(degraded.as_str().unwrap_or_default());
            writeln!(out, "{}: {told}", terminal.paint(Style::Yellow, "degraded"))?;
        }
        let more = "What is not in the table is not proven: what a program may do inside of its grants, data sent to \
                    hosts that are granted, defects of the kernel.";
        for line in fold(more, terminal.columns.unwrap_or(COLUMNS)) {
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out, "\nIn the log: caponier audit query --session {} --event 'proof.*'", self.session)
    }
}

fn outcome(outcome: ProofOutcome) -> &'static str {
    match outcome {
        ProofOutcome::Blocked => "blocked",
        ProofOutcome::Open => "OPEN",
        ProofOutcome::Allowed => "allowed",
        ProofOutcome::Unproven => "not provable",
        ProofOutcome::Unclear => "UNCLEAR",
    }
}

fn by(attack: &ProofAttack) -> String {
    let words = [&attack.layer, &attack.reason, &attack.allowed_by, &attack.detail];
    words.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::prove::judge;

    fn report() -> Report {
        let attack = |name: &str, outcome, layer: Option<&str>, detail: Option<&str>| ProofAttack {
            attack: name.into(),
            what: "does it".into(),
            unconfined: "worked".into(),
            confined: "EACCES".into(),
            outcome,
            layer: layer.map(str::to_owned),
            reason: None,
            recorded: None,
            allowed_by: None,
            detail: detail.map(str::to_owned),
        };
        let attacks = vec![
            attack("one", ProofOutcome::Blocked, Some("landlock"), None),
            attack("two", ProofOutcome::Open, None, Some("it worked: \u{1b}[2J")),
        ];
        let start = serde_json::json!({
            "profile": "p\u{1b}", "env": "prod", "kernel": "6.18", "enforced": {"landlock_abi": 7},
            "degraded": ["network: none"],
        });
        let result = judge::sum(&attacks);
        Report::new(start, "S".into(), attacks, result)
    }

    #[test]
    fn what_is_open_stands_out_and_nothing_moves_the_cursor() {
        let mut out = Vec::new();
        report().write_text(Terminal::NONE, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("OPEN") && text.contains("1 attack blocked, 1 open\n"), "{text}");
        assert!(text.contains("degraded: network: none\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn the_json_says_the_same() {
        let mut out = Vec::new();
        report().write_json(&mut out).unwrap();
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&value["version"], &value["ok"], &value["open"]), (&1.into(), &false.into(), &1.into()));
        assert_eq!(value["attacks"][1]["outcome"], "open");
        assert_eq!(value["session"], "S");
    }
}
