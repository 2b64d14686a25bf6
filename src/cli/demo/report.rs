//! What the demo found, as values: the text and `--json` show the same, and the exit status follows from it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::audit::verify::report::Summary;
use crate::cli::demo::attacks;
use crate::cli::demo::judge::{self, Verdict};
use crate::cli::demo::log::Log;
use crate::cli::demo::notes;
use crate::cli::demo::observed::Observed;
use crate::cli::demo::play::Play;

/// One attack, in both runs.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    pub(super) tool: &'static str,
    pub(super) title: &'static str,
    /// Without the pen.
    pub(super) bare: Observed,
    /// In it.
    pub(super) pen: Observed,
    /// The running number of the call in the pen.
    pub(super) call: u64,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
}

/// One honest call, in both runs.
#[derive(Debug, Serialize)]
pub(super) struct Honest {
    pub(super) tool: &'static str,
    pub(super) bare: Observed,
    pub(super) pen: Observed,
    /// It did its work, and the same in the pen as without.
    pub(super) ok: bool,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) honest: Vec<Honest>,
    pub(super) attacks: Vec<Judged>,
    /// What is not as it was planted, after the run in the pen.
    pub(super) damage: Vec<String>,
    pub(super) log: Log,
    pub(super) verified: Summary,
    /// The folder that played the home of the run in the pen.
    pub(super) home: PathBuf,
    /// The demo's folder, when it stays.
    pub(super) kept: Option<PathBuf>,
    pub(super) took: Duration,
}

/// What there is to judge.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) bare: Play,
    pub(super) pen: Play,
    pub(super) damage: Vec<String>,
    pub(super) log: Log,
    pub(super) verified: Summary,
    pub(super) home: PathBuf,
    pub(super) kept: Option<PathBuf>,
    pub(super) took: Duration,
}

impl Report {
    /// Judges.
    pub(super) fn of(findings: Findings) -> Report {
        let Findings { bare, pen, damage, log, verified, home, kept, took } = findings;
        let errands = notes::errands();
        let honest = errands.iter().zip(bare.honest).zip(pen.honest).map(|(((tool, _), bare), pen)| {
            let ok = matches!(bare, Observed::Did(_)) && bare == pen;
            Honest { tool, bare, pen, ok }
        });
        let honest = honest.collect();
        // Calls are numbered in the order in which they are made, from 1.
        let calls = errands.len() as u64 + 1..;
        let attacks = attacks::all().zip(bare.attacks).zip(pen.attacks).zip(calls);
        let attacks = attacks.map(|(((attack, bare), pen), call)| {
            let verdict = judge::judge(attack, &bare, &pen, &log, call);
            Judged { tool: attack.tool, title: attack.title, bare, pen, call, verdict }
        });
        let attacks = attacks.collect();
        Report { honest, attacks, damage, log, verified, home, kept, took }
    }

    /// Everything that is not as it should be, in words; empty when the demo succeeded.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for attack in &self.attacks {
            let tool = attack.tool;
            match &attack.verdict {
                Verdict::Stopped(_) => {}
                Verdict::GotThrough { detail } => {
                    problems.push(format!("{tool} was not stopped as it has to be: {detail}"))
                }
                Verdict::Unproven { detail } => {
                    problems.push(format!(
                        "{tool} did not work without the pen either, which proves nothing: {detail}"
                    ));
                }
                Verdict::NotRecorded { detail } => {
                    problems.push(format!("{tool} is missing in the log: {detail}"))
                }
            }
        }
        if self.attacks.len() != attacks::all().count() || self.honest.len() != notes::errands().len() {
            problems.push("not every tool was called".into());
        }
        for honest in self.honest.iter().filter(|honest| !honest.ok) {
            let (tool, bare, pen) = (honest.tool, honest.bare.sentence(), honest.pen.sentence());
            problems.push(format!("{tool} is honest and did not do its work: {pen}, without the pen {bare}"));
        }
        problems.extend(self.damage.iter().map(|damage| format!("after the run in the pen, {damage}")));
        if !self.verified.ok {
            problems.push("the log does not verify".into());
        }
        problems.extend(self.log.notes.iter().map(|note| format!("the log: {note}")));
        problems
    }

    /// 0 when every attack was stopped and recorded, every honest call did its work and the log verifies; else 1.
    pub(super) fn status(&self) -> u8 {
        u8::from(!self.problems().is_empty())
    }

    /// Attacks that were stopped and recorded.
    pub(super) fn stopped(&self) -> usize {
        self.attacks.iter().filter(|attack| attack.verdict.is_stopped()).count()
    }

    /// `--json`: one object, `"v": 1`. `bare` and `pen` are `{outcome, detail}`; `verdict` is `stopped` (then with
    /// `layer`, `reason`, `seq`), `got_through`, `unproven` or `not_recorded` (then with `detail`); `verify` and
    /// `events` are as docs/AUDIT.md has them.
    ///
    /// # Errors
    /// As `write(2)`.
    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Whole<'a> {
            v: u32,
            ok: bool,
            problems: Vec<String>,
            caponier: &'static str,
            kernel: &'a Value,
            enforced: &'a Value,
            session: &'a Value,
            duration_ms: u128,
            kept: Option<&'a Path>,
            honest: &'a [Honest],
            attacks: &'a [Judged],
            verify: &'a Summary,
            events: Vec<&'a RawValue>,
        }
        let start = self.log.start();
        let problems = self.problems();
        let whole = Whole {
            v: 1,
            ok: problems.is_empty(),
            problems,
            caponier: env!("CARGO_PKG_VERSION"),
            kernel: &start["kernel"],
            enforced: &start["enforced"],
            session: &start["session"],
            duration_ms: self.took.as_millis(),
            kept: self.kept.as_deref(),
            honest: &self.honest,
            attacks: &self.attacks,
            verify: &self.verified,
            events: self.log.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        };
        serde_json::to_writer(&mut *out, &whole)?;
        out.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests;
