//! What is written to a person's terminal: escaped, fitted, coloured only where that is wanted.
//!
//! The invariant: no text of a server's, a client's or a log's reaches a terminal without [`escape::escape`]. Colours
//! are given to whole words of ours, after escaping, and never when `NO_COLOR` is set (no-color.org).

pub mod escape;
pub mod table;

use std::borrow::Cow;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use crate::sys;

/// How a word stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// It does not.
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// Less important than the rest.
    Dim,
    /// Refused, broken.
    Red,
    /// To be looked at.
    Yellow,
    /// In order.
    Green,
}

impl Style {
    /// Select graphic rendition (ECMA-48, 8.3.117).
    fn code(self) -> Option<&'static str> {
        match self {
            Style::Plain => None,
            Style::Bold => Some("1"),
            Style::Dim => Some("2"),
            Style::Red => Some("31"),
            Style::Yellow => Some("33"),
            Style::Green => Some("32"),
        }
    }
}

/// What is known of the place that is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Columns; `None` when it is not a terminal, and lines may be of any length.
    pub columns: Option<usize>,
    /// Whether colours are shown.
    pub colours: bool,
}

impl Terminal {
    /// Anything but a terminal: no limit, no colours.
    pub const NONE: Terminal = Terminal { columns: None, colours: false };

    /// What is behind `stream`, which is standard output or standard error.
    pub fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        if !stream.is_terminal() {
            return Terminal::NONE;
        }
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Terminal {
            columns: Some(sys::terminal::columns(stream).map_or(80, usize::from)),
            colours: !is_set("NO_COLOR") && !is_dumb,
        }
    }

    /// `text`, which is escaped already or our own, in `style`.
    pub fn paint<'a>(&self, style: Style, text: &'a str) -> Cow<'a, str> {
        match style.code() {
            Some(code) if self.colours && !text.is_empty() => {
                Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
            }
            _ => Cow::Borrowed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_are_shown() {
        let terminal = Terminal { columns: Some(80), colours: true };
        assert_eq!(terminal.paint(Style::Red, "deny"), "\x1b[31mdeny\x1b[0m");
        assert_eq!(terminal.paint(Style::Plain, "deny"), "deny");
        assert_eq!(Terminal::NONE.paint(Style::Red, "deny"), "deny");
        assert_eq!(Terminal::of(&std::fs::File::open("/dev/null").unwrap()), Terminal::NONE);
    }
}
