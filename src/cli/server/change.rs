//! One change of what a server says, as people read it.

use std::io::{self, Write};

use crate::cli::server::{report, subject};
use crate::cli::term::escape::escape;
use crate::cli::term::{Style, Terminal};
use crate::mcp::pins::{Change, Fate, Finding, Value as Definition};

/// One change, with what it was and what it is.
pub(super) fn changed(
    change: &Change,
    strange: &[Finding],
    terminal: Terminal,
    out: &mut impl Write,
) -> io::Result<()> {
    let style = if change.class.needs_approval() { Style::Yellow } else { Style::Bold };
    let origin = match &change.fate {
        Fate::Added { renamed_from: Some(before) } => format!(", before: {before}"),
        _ => String::new(),
    };
    let fate = report(change)["fate"].as_str().unwrap_or_default().to_owned();
    let heading = format!("{} {fate}: {}{}", escape(&subject(change)), change.class, escape(&origin));
    writeln!(out, "{}", terminal.paint(style, &heading))?;
    let found: Vec<&str> = strange.iter().copied().map(Finding::name).collect();
    if !found.is_empty() {
        let line = format!("  its texts have: {}", found.join(", "));
        writeln!(out, "{}", terminal.paint(Style::Red, &line))?;
    }
    for difference in &change.differences {
        let at = if difference.at.is_empty() { "(all of it)" } else { &difference.at };
        writeln!(out, "  {} ({})", escape(at), difference.class)?;
        lines(out, terminal, '-', Style::Red, difference.before.as_deref())?;
        lines(out, terminal, '+', Style::Green, difference.after.as_deref())?;
    }
    Ok(())
}

/// A value, each line of a text on a line of its own.
fn lines(
    out: &mut impl Write,
    terminal: Terminal,
    sign: char,
    style: Style,
    json: Option<&str>,
) -> io::Result<()> {
    let Some(json) = json else { return Ok(()) };
    let text = match Definition::parse(json, 1 << 22) {
        Ok(Definition::String(text)) => text,
        _ => json.to_owned(),
    };
    for line in text.split('\n') {
        writeln!(out, "{}", terminal.paint(style, &format!("    {sign} {}", escape(line))))?;
    }
    Ok(())
}
