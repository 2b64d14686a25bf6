//! How errors and warnings look: `error:`, `-->` with the place, `help:` with the fix.
//!
//! Whatever comes from outside (a key, a path, an argument) is escaped, so that it cannot move the cursor or turn the
//! text round. Colour only for people: see [`Terminal`].

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::cli::term::Terminal;
pub use crate::cli::term::escape::escape;
use crate::policy::grant::Origin;
use crate::profile::problem::{Problem, Problems, Warning};

/// Whether to colour, decided once per stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// No colour.
    pub const PLAIN: Style = Style { colour: false };

    /// For what goes to stderr.
    pub fn stderr() -> Self {
        Style { colour: Terminal::of(&io::stderr()).colours }
    }

    /// For what goes to stdout.
    pub fn stdout() -> Self {
        Style { colour: Terminal::of(&io::stdout()).colours }
    }

    /// `text` in bold, and in one of the terminal's colours (31 red, 32 green, 33 yellow, 34 blue, 36 cyan).
    pub fn paint(self, text: &str, colour: u8) -> String {
        if self.colour { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// All problems, a blank line between two, and how many there were.
pub fn problems(problems: &Problems, style: Style) -> String {
    let mut text: String = problems.0.iter().map(|found| problem(found, style) + "\n").collect();
    if problems.0.len() > 1 {
        let _ = writeln!(text, "{}: {} errors", style.paint("error", 31), problems.0.len());
    } else {
        text.pop();
    }
    text
}

/// One problem.
pub fn problem(problem: &Problem, style: Style) -> String {
    report(&style.paint("error", 31), &problem.message, &problem.origin, problem.help.as_deref(), style)
}

/// One warning.
pub fn warning(warning: &Warning, style: Style) -> String {
    let head = style.paint(&format!("warning[{}]", warning.code), 33);
    report(&head, &warning.message, &warning.origin, warning.help.as_deref(), style)
}

/// Writes to stderr; a stderr that is gone is no reason to fail.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The exit status of a report: `status` when it was written, and when its reader went away, as `head` does. A report that
/// was not written (a full disk) is an error, and is said.
pub fn written(result: io::Result<()>, status: u8) -> ExitCode {
    match result.and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tell(&format!("error: the report could not be written: {error}\n"));
            ExitCode::FAILURE
        }
        _ => ExitCode::from(status),
    }
}

/// One line that the user may want to know, on stderr.
pub fn note(text: &str) {
    tell(&format!("{}: {text}\n", Style::stderr().paint("caponier", 36)));
}

/// Our own diagnostics go to stderr, as lines like the other ones. `CAPONIER_LOG=debug` shows more.
pub fn start_tracing() {
    let level = std::env::var("CAPONIER_LOG").ok().and_then(|level| level.parse().ok());
    let level = level.unwrap_or(tracing::Level::WARN);
    // Somebody set it already: a test.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .try_init();
}

fn report(head: &str, message: &str, origin: &Origin, help: Option<&str>, style: Style) -> String {
    let mut text = format!("{head}: {}\n", escape(message));
    let _ = writeln!(text, "  {} {}", style.paint("-->", 34), escape(&origin.to_string()));
    if let Some(help) = help {
        let _ = writeln!(text, "{}: {}", style.paint("help", 36), escape(help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Problem {
        let origin = Origin { file: "/p/x.toml".into(), line: 3, column: 1 };
        Problem::new(origin, "unknown key `filesystem.raed`").help("did you mean `read`?")
    }

    #[test]
    fn a_problem_names_place_and_fix() {
        let expected =
            "error: unknown key `filesystem.raed`\n  --> /p/x.toml:3:1\nhelp: did you mean `read`?\n";
        assert_eq!(problem(&example(), Style::PLAIN), expected);
        assert_eq!(problems(&Problems(vec![example()]), Style::PLAIN), expected);
    }

    #[test]
    fn several_problems_are_counted() {
        let text = problems(&Problems(vec![example(), example()]), Style::PLAIN);
        assert!(text.ends_with("?\n\nerror: 2 errors\n"), "{text}");
    }

    #[test]
    fn colour_is_the_only_control_sequence() {
        let mut hostile = example();
        hostile.message = "a\x1b[2Jb\u{202e}c\nd".into();
        let text = problem(&hostile, Style { colour: true });
        assert!(text.starts_with("\x1b[1;31merror\x1b[0m: a\\x1b[2Jb\\u{202e}c\\nd\n"), "{text:?}");
    }
}
