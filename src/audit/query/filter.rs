//! What a query asks for, and the cheap test on raw bytes that spares parsing.
//!
//! The law: the cheap test never drops a line that matches. A string stands in a line either byte for byte or with a
//! backslash in it (RFC 8259, 7), so only lines without any backslash can be dropped for lack of a word.

use std::sync::LazyLock;

use globset::{GlobBuilder, GlobMatcher};
use memchr::memmem::Finder;

use crate::audit::query::moment::Moment;
use crate::audit::query::record::Record;

/// Stands in every refusal that is not one by its event's name. Neither the field nor the value has an escape.
static DENIED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"verdict\":\"deny\""));

/// A glob: `*`, `?`, `[a-z]`, `{one,other}`.
#[derive(Debug, Clone)]
pub struct Pattern {
    matchers: Vec<GlobMatcher>,
    /// A word that every match contains; empty when none is known.
    word: Finder<'static>,
}

impl Pattern {
    /// A pattern for names: `*` stands for anything.
    pub fn name(glob: &str) -> Result<Self, globset::Error> {
        Ok(Pattern { matchers: vec![matcher(glob, false)?], word: word(glob) })
    }

    /// A pattern for paths: `*` stays within a folder, `**` does not. Without any of the signs it stands for the path
    /// and for everything below it.
    pub fn path(glob: &str) -> Result<Self, globset::Error> {
        let mut matchers = vec![matcher(glob, true)?];
        if is_literal(glob) {
            matchers.push(matcher(&format!("{}/**", glob.trim_end_matches('/')), true)?);
        }
        Ok(Pattern { matchers, word: word(glob) })
    }

    /// A pattern for programs: without a slash it stands for the last part of the path.
    pub fn program(glob: &str) -> Result<Self, globset::Error> {
        match glob.contains('/') {
            true => Self::path(glob),
            false => Ok(Pattern { matchers: vec![matcher(&format!("**/{glob}"), true)?], word: word(glob) }),
        }
    }

    /// As it was given; `**/` stands before the name of a program.
    pub fn glob(&self) -> &str {
        self.matchers.first().map_or("", |matcher| matcher.glob().glob())
    }

    fn matches(&self, text: &str) -> bool {
        self.matchers.iter().any(|matcher| matcher.is_match(text))
    }

    fn is_in(&self, line: &[u8]) -> bool {
        self.word.find(line).is_some()
    }
}

fn matcher(glob: &str, literal_separator: bool) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(glob)
        .literal_separator(literal_separator)
        .backslash_escape(true)
        .build()?
        .compile_matcher())
}

fn is_literal(glob: &str) -> bool {
    !glob.contains(['*', '?', '[', ']', '{', '}', '\\', '!'])
}

/// The longest piece of `glob` that stands for itself. With classes, alternatives or escapes: none.
fn word(glob: &str) -> Finder<'static> {
    let word = match glob.contains(['[', ']', '{', '}', '\\']) {
        true => "",
        // `**/` may stand for nothing, so a slash beside a star is no word either.
        false => glob
            .split(['*', '?'])
            .map(|piece| piece.trim_matches('/'))
            .max_by_key(|piece| piece.len())
            .unwrap_or(""),
    };
    Finder::new(word).into_owned()
}

/// What is asked for; everything that is given has to hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The server's name.
    pub server: Option<Pattern>,
    /// The beginning of the session's name.
    pub session: Option<String>,
    /// The number of a call: its own lines, and what happened while it was in flight.
    pub call: Option<u64>,
    /// A tool's name: lines that name it, and what happened while one of its calls was in flight.
    pub tool: Option<Pattern>,
    /// Names of events, one of which it has to be.
    pub event: Vec<Pattern>,
    /// Only refusals.
    pub denied: bool,
    /// The reason's code.
    pub reason: Option<Pattern>,
    /// A path, as it was or as it was asked for.
    pub path: Option<Pattern>,
    /// A host's name or address.
    pub host: Option<Pattern>,
    /// A program.
    pub exe: Option<Pattern>,
    /// Not before.
    pub since: Option<Moment>,
    /// Before.
    pub until: Option<Moment>,
    /// No line at all: for what is to be known of the sessions alone.
    pub nothing: bool,
}

/// Calls in flight whose tool is asked for, while the lines of one session go by.
#[derive(Debug, Clone, Default)]
pub struct Flight {
    calls: Vec<u64>,
}

impl Filter {
    /// Whether every session of `day` began too late.
    pub(super) fn is_after(&self, day: &str) -> bool {
        self.until.is_some_and(|until| day.as_bytes() > &until[..10])
    }

    /// Whether `day` lies wholly before the time asked for.
    pub(super) fn begins_after(&self, day: &str) -> bool {
        self.since.is_some_and(|since| day.as_bytes() < &since[..10])
    }

    /// Whether sessions of this server are asked for.
    pub fn takes_server(&self, server: &str) -> bool {
        self.server.as_ref().is_none_or(|pattern| pattern.matches(server))
    }

    /// Whether the session is asked for, by its name.
    pub fn takes(&self, session: &str) -> bool {
        self.session.as_ref().is_none_or(|asked| session.starts_with(asked.as_str()))
    }

    /// The cheap test: `false` only when the line cannot match, and cannot change what is in flight. `event` is the
    /// name of its event.
    pub fn may_match(&self, line: &[u8], event: &[u8], flight: &Flight) -> bool {
        if self.nothing {
            return false;
        }
        let has_event = self.event.is_empty()
            || std::str::from_utf8(event)
                .is_ok_and(|event| self.event.iter().any(|pattern| pattern.matches(event)));
        let has_denial = || !self.denied || event.ends_with(b".denied") || DENIED.find(line).is_some();
        let words = [&self.server, &self.reason, &self.path, &self.host, &self.exe];
        let tool = self.tool.as_ref().filter(|_| flight.calls.is_empty());
        let has_words = || {
            let mut asked = words.into_iter().flatten().chain(tool).peekable();
            asked.peek().is_none()
                || asked.all(|pattern| pattern.is_in(line))
                || memchr::memchr(b'\\', line).is_some()
        };
        // What begins and ends calls is needed to know what is in flight, whatever else is asked for.
        (has_event && has_denial() && has_words()) || (self.tool.is_some() && event.starts_with(b"call."))
    }

    /// Whether the record matches. Has to see every line that the cheap test lets through, in order.
    pub fn matches(&self, record: &Record<'_>, flight: &mut Flight) -> bool {
        let of_tool = self.tool.as_ref().is_none_or(|tool| flight.meets(tool, record));
        of_tool
            && !self.nothing
            && self.holds_in_time(record)
            && (!self.denied || record.is_denied())
            && self.call.is_none_or(|call| record.calls().any(|of| of == call))
            && (self.event.is_empty() || self.event.iter().any(|pattern| pattern.matches(&record.event)))
            && self.server.as_ref().is_none_or(|pattern| pattern.matches(&record.server))
            && holds(&self.reason, [record.reason.as_deref()])
            && holds(&self.path, [record.path.as_deref(), record.asked.as_deref()])
            && holds(&self.host, [record.host.as_deref(), record.address.as_deref()])
            && holds(&self.exe, [record.exe.as_deref()])
    }

    fn holds_in_time(&self, record: &Record<'_>) -> bool {
        let time = record.time.as_bytes();
        self.since.is_none_or(|since| time >= &since[..]) && self.until.is_none_or(|until| time < &until[..])
    }
}

impl Flight {
    fn meets(&mut self, tool: &Pattern, record: &Record<'_>) -> bool {
        let is_named = record.tool.as_deref().is_some_and(|name| tool.matches(name));
        match (&*record.event, record.call) {
            ("call.start", Some(call)) if is_named => self.calls.push(call),
            ("call.end", Some(call)) => self.calls.retain(|flying| *flying != call),
            _ => {}
        }
        is_named || record.calls.iter().any(|call| self.calls.contains(call))
    }
}

fn holds<const N: usize>(pattern: &Option<Pattern>, values: [Option<&str>; N]) -> bool {
    pattern.as_ref().is_none_or(|pattern| values.into_iter().flatten().any(|value| pattern.matches(value)))
}
