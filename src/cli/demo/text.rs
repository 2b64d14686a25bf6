//! The report for people: a line, a table, a timeline, the verification, and where to look next.

use std::io::{self, Write};
use std::path::Path;

use crate::audit::count::counted;
use crate::cli::demo::judge::Verdict;
use crate::cli::demo::report::{Judged, Report};
use crate::cli::demo::timeline;
use crate::cli::term::escape::escape;
use crate::cli::term::table::{Column, Table, fold};
use crate::cli::term::{Style, Terminal};

/// Columns where there is no terminal to ask.
const COLUMNS: usize = 100;

const ATTACKS: &[Column] = &[
    Column::short("attack"),
    Column::short("without pen"),
    Column::short("in the pen"),
    Column::detail("stopped by"),
];

/// Writes everything.
///
/// # Errors
/// As `write(2)`.
pub(super) fn write(report: &Report, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    head(report, terminal, out)?;
    table(report, terminal, out)?;
    verdict(report, terminal, out)?;
    writeln!(
        out,
        "\n{}",
        terminal.paint(Style::Bold, "The session in the pen, from its log (~ is the planted home):")
    )?;
    timeline::draw(&report.log.records(), &report.home, terminal, out)?;
    verified(report, terminal, out)?;
    next(report.kept.as_deref(), out)
}

fn head(report: &Report, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let start = report.log.start();
    let (honest, hostile) = (report.honest.len(), report.attacks.len());
    // Some distributions put half a story into it.
    let kernel: String = escape(start["kernel"].as_str().unwrap_or("?")).chars().take(36).collect();
    let abi = &start["enforced"]["landlock_abi"];
    let line = format!(
        "caponier demo: {honest} honest and {hostile} hostile tools (Linux {kernel}, Landlock {abi})"
    );
    writeln!(out, "{}\n", terminal.paint(Style::Bold, &line))
}

fn table(report: &Report, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(ATTACKS, terminal);
    for attack in &report.attacks {
        let (style, by) = stopped_by(attack);
        table.row(out, style, &[attack.title, attack.bare.word(), attack.pen.word(), &by])?;
    }
    table.finish(out)
}

fn stopped_by(attack: &Judged) -> (Style, String) {
    match &attack.verdict {
        Verdict::Stopped(stop) => (Style::Plain, format!("{} {}", stop.layer, stop.reason)),
        Verdict::GotThrough { .. } => (Style::Red, "NOT STOPPED".into()),
        Verdict::Unproven { .. } => (Style::Red, "PROVES NOTHING".into()),
        Verdict::NotRecorded { .. } => (Style::Red, "NOT IN THE LOG".into()),
    }
}

fn verdict(report: &Report, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let (stopped, attacks) = (report.stopped(), report.attacks.len());
    let worked = report.honest.iter().filter(|honest| honest.ok).count();
    let line = format!(
        "{stopped} of {attacks} attacks stopped and recorded; {worked} of {} honest calls did their work.",
        report.honest.len()
    );
    let problems = report.problems();
    let style = if problems.is_empty() { Style::Green } else { Style::Red };
    writeln!(out, "\n{}", terminal.paint(style, &line))?;
    for problem in &problems {
        writeln!(out, "{}: {}", terminal.paint(Style::Red, "error"), escape(problem))?;
    }
    let signal = report.attacks.iter().any(|attack| match &attack.verdict {
        Verdict::Stopped(stop) => stop.seq.is_none(),
        _ => false,
    });
    if signal {
        writeln!(
            out,
            "Signals are refused by the kernel itself, which tells nobody: the log has no line of them."
        )?;
    }
    let refused: Vec<&str> = report
        .attacks
        .iter()
        .filter(|attack| attack.verdict.is_stopped() && attack.bare.word() != "worked")
        .map(|attack| attack.tool)
        .collect();
    if !refused.is_empty() {
        let refused = refused.join(", ");
        let told = format!("This kernel lets nobody do these, so they cannot be shown at work: {refused}.");
        for line in fold(&told, terminal.columns.unwrap_or(COLUMNS)) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

fn verified(report: &Report, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let (word, style) = match report.verified.ok {
        true => ("in order", Style::Green),
        false => ("BROKEN", Style::Red),
    };
    let lines = counted(report.verified.lines, "line");
    writeln!(out, "\naudit verify: {}, {lines} in one chain", terminal.paint(style, word))?;
    writeln!(out, "head: {}", report.verified.head)
}

fn next(kept: Option<&Path>, out: &mut impl Write) -> io::Result<()> {
    let Some(root) = kept else {
        writeln!(
            out,
            "\nNext: caponier demo --keep                          keeps this log, to be searched"
        )?;
        return writeln!(
            out,
            "      caponier run --profile NAME -- COMMAND ...    puts a server of yours into its pen"
        );
    };
    let log = root.join("log");
    let log = escape(&log.to_string_lossy()).into_owned();
    writeln!(out, "\nKept: {}", escape(&root.to_string_lossy()))?;
    writeln!(out, "Next: caponier audit query --denied --audit-dir {log}")?;
    writeln!(out, "      caponier audit query --call 4 --json --audit-dir {log}")?;
    writeln!(out, "      caponier audit verify --audit-dir {log}")
}
