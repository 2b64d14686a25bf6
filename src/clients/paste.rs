//! What to write into a file that caponier reads and does not write (YAML): the lines for one server.

use std::fmt::Write as _;

use crate::clients::Format;
use crate::clients::argv::{Args, launch};
use crate::clients::change::quoted;
use crate::clients::secret;
use crate::clients::server::{Server, State};
use crate::clients::survey::Config;

/// What stands in the place of what is hidden.
pub const HIDDEN: &str = secret::HIDDEN;

/// What to do by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paste {
    /// Line of the file in which the entry begins, from 1.
    pub line: usize,
    /// The lines that take the place of the entry's `command` and `args`, not escaped; none has a newline.
    pub lines: Vec<String>,
    /// Whether a part of them is hidden, and has to be copied from the file.
    pub has_hidden: bool,
}

/// The lines that put `program words… --` in front of a server's words; `None` where caponier writes itself, or nothing is
/// to do.
pub fn paste(config: &Config, server: &Server, program: &str, words: &[String]) -> Option<Paste> {
    if config.place.format() != Format::Yaml || server.state != State::Bare {
        return None;
    }
    let entry = config.entry(server)?;
    let launch = launch(entry, config.place.listed.shape).ok()?;
    let text = &config.file.text;
    let key = &launch.command.key_span;
    let start = text.get(..key.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    // `  - command: x` begins with a dash: its lines stand as far in as the key.
    let indent = " ".repeat(text.get(start..key.start)?.chars().count());
    let old = config.shown_words(server);
    let has_hidden = old != server.words;
    let mut list = String::new();
    for word in words.iter().chain(["--".to_owned()].iter()).chain(&old) {
        let comma = if list.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(list, "{comma}{}", quoted(word));
    }
    debug_assert!(!matches!(launch.args, Args::Whole(_)));
    let command = &launch.command.key;
    let lines = vec![format!("{indent}{command}: {}", quoted(program)), format!("{indent}args: [{list}]")];
    let line = text.get(..entry.span.start)?.matches('\n').count() + 1;
    Some(Paste { line, lines, has_hidden })
}
