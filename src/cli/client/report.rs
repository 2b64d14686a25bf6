//! What every command here tells besides its own: files that are left alone, lines to paste, differences.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::client::{Shown, shown_path};
use crate::cli::diagnostic;
use crate::cli::term::escape::escape;
use crate::cli::term::{Style, Terminal};
use crate::clients::diff::Line;
use crate::clients::paste::Paste;
use crate::clients::server::Server;
use crate::clients::survey::{Config, Survey, Troubled};

/// A file that is left alone, on stderr.
pub(super) fn trouble(name: &str, path: &str, why: &str) {
    let style = diagnostic::Style::stderr();
    diagnostic::tell(&format!(
        "{}: {} is left as it is ({name}): {}\n",
        style.paint("error", 31),
        escape(path),
        escape(why)
    ));
}

/// Said where there is nothing to say anything of.
pub(super) fn none_found() {
    diagnostic::note("no configuration of a client that caponier knows was found");
}

/// All of them, and the files that were found by two paths.
pub(super) fn troubles(survey: &Survey) {
    for Troubled { place, trouble: why } in &survey.troubled {
        trouble(place.client.name, &shown_path(&place.path), &why.to_string());
    }
    for (place, client, path) in &survey.same {
        let (one, other) = (shown_path(&place.path), shown_path(path));
        diagnostic::note(&format!(
            "{} ({}) is the same file as {} ({client})",
            escape(&one),
            place.client.name,
            escape(&other)
        ));
    }
}

/// The same for programs.
pub(super) fn problems(survey: &Survey) -> Vec<Value> {
    let one = |troubled: &Troubled| {
        json!({
            "client": troubled.place.client.id,
            "file": shown_path(&troubled.place.path),
            "problem": troubled.trouble.to_string(),
        })
    };
    survey.troubled.iter().map(one).collect()
}

/// Where a file is, and where its link leads.
pub(super) fn heading(config: &Config) -> String {
    let asked = shown_path(&config.place.path);
    let real = shown_path(&config.file.real);
    let path = if asked == real { asked } else { format!("{asked} -> {real}") };
    format!("{}: {}", config.place.client.name, escape(&path))
}

/// A difference, for a terminal.
pub(super) fn lines(
    out: &mut impl Write,
    terminal: Terminal,
    shown: &Shown,
    lines: &[Line],
) -> io::Result<()> {
    for line in lines {
        let style = match line {
            Line::Place(_) => Style::Dim,
            Line::Kept(_) => Style::Plain,
            Line::Removed(_) => Style::Red,
            Line::Added(_) => Style::Green,
        };
        let text = on_terminal(&shown.line(&line.text()));
        writeln!(out, "{}", terminal.paint(style, &text))?;
    }
    Ok(())
}

/// Escaped; a tab is four blanks.
fn on_terminal(line: &str) -> String {
    escape(&line.replace('\t', "    ")).into_owned()
}

/// The same for programs: one text.
pub(super) fn difference(shown: &Shown, lines: &[Line]) -> String {
    lines.iter().map(|line| shown.line(&line.text()) + "\n").collect()
}

/// What to do by hand in a file that caponier does not write.
pub(super) fn paste(
    out: &mut impl Write,
    terminal: Terminal,
    shown: &Shown,
    (config, server): (&Config, &Server),
    paste: &Paste,
) -> io::Result<()> {
    let title = format!(
        "{}: caponier does not write YAML. For the server \"{}\" (line {}), put these lines in the place of its \
         command and args:",
        heading(config),
        escape(&server.name),
        paste.line
    );
    writeln!(out, "\n{}", terminal.paint(Style::Bold, &title))?;
    for line in &paste.lines {
        writeln!(out, "{}", escape(&shown.line(line)))?;
    }
    if paste.has_hidden {
        writeln!(out, "({} is not shown here: copy it from the file)", crate::clients::paste::HIDDEN)?;
    }
    Ok(())
}
