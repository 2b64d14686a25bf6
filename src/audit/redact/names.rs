//! Names in running text, and the values after them: `password=…`, `"apiKey": "…"`, `--token …`, `Cookie: …`,
//! `<secret>…</secret>`, and a value that looks random in the words after such a name.
//!
//! Where a name is strong (`policy::sensitive`), what is assigned to it is a secret whatever it looks like; where it is
//! weak, or nothing is assigned, the value must look random.

use std::ops::Range;

use crate::audit::redact::class::Class;
use crate::audit::redact::entropy;
use crate::audit::redact::mark;
use crate::policy::sensitive::{LONGEST_NAME, Sensitivity, sensitivity};

/// What names are found by, in any case. The name around it is then judged as a whole.
pub(super) const WORDS: &[&str] = &[
    "token",
    "secret",
    "passw",
    "passphrase",
    "pwd",
    "pass",
    "key",
    "credential",
    "auth",
    "bearer",
    "cookie",
    "sig",
    "session",
    "jwt",
    "otp",
    "sid",
];

/// The longest value, when no quote or line ends it.
const LONGEST_VALUE: usize = 64 << 10;
/// The beginning that decides whether a value looks random.
const LONGEST_LOOK: usize = 256;
/// How far after a name a value without an assignment may stand.
const NEAR: usize = 48;

/// A value, and how it was known.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// By its looks, and not by its name alone.
    pub(super) random: bool,
}

/// The value that belongs to the name at `at`.
pub(super) fn value(text: &[u8], at: usize) -> Option<Found> {
    let name = name_around(text, at)?;
    let spoken = std::str::from_utf8(text.get(name.clone())?).ok()?;
    let sensitivity = sensitivity(spoken);
    if sensitivity == Sensitivity::None {
        return None;
    }
    let strong = sensitivity == Sensitivity::Strong;
    let Some(begin) = assignment(text, &name, strong) else { return nearby(text, name.end) };
    if !strong {
        // A look at the beginning decides; only then the whole is taken.
        let head = text.get(..begin.from + LONGEST_LOOK).unwrap_or(text);
        let head = head.get(begin.range(head, spoken))?;
        if !entropy::is_random(head) {
            return None;
        }
    }
    let range = begin.range(text, spoken);
    let value = text.get(range.clone())?;
    if value.is_empty() || is_placeholder(value) {
        return None;
    }
    Some(Found { range, random: !strong })
}

/// The whole name that `at` is a part of.
fn name_around(text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = text.get(at.saturating_sub(LONGEST_NAME)..at)?;
    let start = at - before.iter().rev().take_while(|byte| Class::Dash.has(**byte)).count();
    let window = text.get(..at.saturating_add(LONGEST_NAME)).unwrap_or(text);
    let end = at + Class::Dash.run(window, at);
    (end - start <= LONGEST_NAME).then_some(start..end)
}

/// Where a value begins, and the quote before it.
#[derive(Clone, Copy)]
struct Begin {
    from: usize,
    quote: Option<u8>,
    /// The quote was escaped, so the one that ends the value is.
    escaped: bool,
}

impl Begin {
    fn range(self, text: &[u8], name: &str) -> Range<usize> {
        // What was taken out before is the whole value.
        let mark = mark::mark_at(text.get(self.from..).unwrap_or_default());
        if mark > 0 {
            return self.from..self.from + mark;
        }
        match self.quote {
            Some(quote) => after_scheme(text, self.from..quoted_end(text, self.from, quote, self.escaped)),
            None if is_header(name) => after_scheme(text, self.from..line_end(text, self.from)),
            None => plain_value(text, self.from),
        }
    }
}

/// Past `=`, `:`, `=>`, `>` or, after a flag, white space.
fn assignment(text: &[u8], name: &Range<usize>, strong: bool) -> Option<Begin> {
    let closes_element = name.start > 0 && text.get(name.start - 1) == Some(&b'/');
    let byte = |at: usize| text.get(at).copied();
    let blanks = |at: usize| {
        at + text
            .get(at..)
            .map_or(0, |rest| rest.iter().take(32).take_while(|b| matches!(b, b' ' | b'\t')).count())
    };
    let mut at = name.end;
    // The name's own closing quote, perhaps escaped; `NAME]` and `NAME)` of lists.
    while matches!(byte(at), Some(b'"' | b'\'' | b'`' | b'\\' | b']')) && at < name.end + 3 {
        at += 1;
    }
    let sign = blanks(at);
    let after = match (byte(sign), byte(sign + 1)) {
        (Some(b'='), Some(b'>' | b'=')) | (Some(b':'), Some(b'=')) => sign + 2,
        (Some(b'=' | b':'), _) => sign + 1,
        (Some(b'>'), _) if sign == name.end && !closes_element => sign + 1,
        _ if strong && sign > at && text.get(name.clone())?.starts_with(b"-") => {
            // `--token --verbose`: no value.
            return (byte(sign) != Some(b'-')).then(|| begin(text, sign));
        }
        _ => return None,
    };
    Some(begin(text, blanks(after)))
}

/// A quote, perhaps escaped, or the value itself.
fn begin(text: &[u8], at: usize) -> Begin {
    if text.get(at) == Some(&b'[') && mark::mark_at(text.get(at..).unwrap_or_default()) == 0 {
        // A list: all of it.
        return Begin { from: at + 1, quote: Some(b']'), escaped: false };
    }
    let escapes =
        text.get(at..).map_or(0, |rest| rest.iter().take(8).take_while(|byte| **byte == b'\\').count());
    match text.get(at + escapes) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            Begin { from: at + escapes + 1, quote: Some(*quote), escaped: escapes > 0 }
        }
        _ => Begin { from: at, quote: None, escaped: false },
    }
}

/// Up to the quote that closes, or to the end.
fn quoted_end(text: &[u8], from: usize, quote: u8, escaped: bool) -> usize {
    let mut at = from;
    while let Some(next) = text.get(at..).and_then(|rest| memchr::memchr2(quote, b'\\', rest)) {
        at += next;
        let ends = text.get(at) == Some(&quote) || (escaped && text.get(at + 1) == Some(&quote));
        if ends {
            return at;
        }
        at += 2;
    }
    text.len()
}

/// What follows the word of an authentication scheme.
pub(super) fn after_scheme(text: &[u8], range: Range<usize>) -> Range<usize> {
    let value = text.get(range.clone()).unwrap_or_default();
    let word = value.iter().take(16).position(|byte| *byte == b' ').unwrap_or_default();
    match value.get(word + 1) {
        Some(_) if is_scheme(value.get(..word).unwrap_or_default()) => range.start + word + 1..range.end,
        _ => range,
    }
}

fn is_scheme(word: &[u8]) -> bool {
    ["bearer", "basic", "token", "digest", "apikey"]
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn line_end(text: &[u8], from: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r' | b'"' | b'\'' | b'`');
    text.get(from..).and_then(|rest| rest.iter().position(ends)).map_or(text.len(), |end| from + end)
}

/// A word; after the word of an authentication scheme, the next one.
fn plain_value(text: &[u8], from: usize) -> Range<usize> {
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || byte.is_ascii_control()
            || matches!(byte, b'"' | b'\'' | b'`' | b'&' | b';' | b'<')
    };
    let window = text.get(..from.saturating_add(LONGEST_VALUE)).unwrap_or(text);
    let end =
        window.get(from..).and_then(|rest| rest.iter().position(ends)).map_or(window.len(), |end| from + end);
    if text.get(end) == Some(&b' ') && is_scheme(text.get(from..end).unwrap_or_default()) {
        let next = end + 1;
        let end = window
            .get(next..)
            .and_then(|rest| rest.iter().position(ends))
            .map_or(window.len(), |end| next + end);
        return next..end;
    }
    // A bracket or comma that closes what is around it is not part of it.
    let tail = text.get(from..end).unwrap_or_default().iter().rev();
    let closing = tail.take_while(|byte| matches!(byte, b',' | b')' | b']' | b'}' | b'.')).count();
    from..end - closing
}

/// Headers whose value is the rest of the line.
fn is_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|header| name.eq_ignore_ascii_case(header))
}

/// What stands where no secret does.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: &[&[u8]] =
        &[b"true", b"false", b"null", b"none", b"nil", b"undefined", b"required", b"string"];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || value.iter().all(|byte| {
            matches!(byte, b'*' | b'.' | b'x' | b'-' | b'{' | b'[' | b'(' | b',' | b'}' | b']' | b')')
        })
        || (value.starts_with(b"$")
            && value.iter().skip(1).all(|byte| Class::Word.has(*byte) || matches!(byte, b'{' | b'}')))
        || mark::mark_at(value) == value.len()
}

/// A value that looks random within the next words.
fn nearby(text: &[u8], from: usize) -> Option<Found> {
    let window = text.get(from..)?;
    let near = window.get(..NEAR).unwrap_or(window);
    let mut at = 0;
    while at < near.len() {
        let run = Class::Base64.run(window, at);
        let word = window.get(at..at + run.min(LONGEST_VALUE))?;
        if run >= 20 && entropy::is_random(word) {
            return Some(Found { range: from + at..from + at + run, random: true });
        }
        if near.get(at) == Some(&b'\n') {
            return None;
        }
        at += run.max(1);
    }
    None
}
