//! What a text may mean as a path, to a program that decodes, normalises or expands it before it opens it.
//!
//! One text has several readings: as it is; percent-decoded, as often as it can be; with characters that look like `/`
//! and `.` as these; with `\` as `/`; cut at a NUL. Whoever judges asks about all of them. Text of several lines has none:
//! it is text.

use std::borrow::Cow;

use crate::mcp::arguments::lookalike;
use crate::mcp::percent;

/// Decodings of a text that decodes to another one: what is encoded more often than this is no path to anyone.
const MAX_DECODINGS: usize = 4;

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// The text of a path: absolute, relative, or beginning with `~`.
    pub(super) path: String,
    /// It took a guess to get here, so the path counts only if it leads to something.
    pub(super) guessed: bool,
}

/// All readings of a text as a path that could lead out of where the reader stands: absolute ones, those with `..`, and
/// those that begin with `~`. Most texts have none.
pub(super) fn readings(text: &str) -> Vec<Reading> {
    let mut found = Vec::new();
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if !may_lead_out(trimmed) {
        return found;
    }
    let mut stage = Cow::Borrowed(trimmed);
    let mut guessed = false;
    for _ in 0..=MAX_DECODINGS {
        plain(&stage, guessed, &mut found);
        let decoded = decoded(&stage);
        let folded = lookalike::folded(decoded.as_deref().unwrap_or(&stage));
        guessed |= folded.is_some();
        match folded.or(decoded) {
            Some(next) => stage = Cow::Owned(next.trim().to_owned()),
            None => break,
        }
    }
    found
}

/// Whether any reading could be a path that leads out: a look at the bytes that all of them need.
fn may_lead_out(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        None => return false,
        Some(b'/' | b'~' | b'%' | b'.' | b'\\' | b'-' | 0x80..) => return true,
        Some(b'f' | b'F') if is_file_scheme(text) => return true,
        Some(_) => {}
    }
    memchr::memmem::find(bytes, b"..").is_some()
        || memchr::memchr2(b'%', 0, bytes).is_some()
        || !text.is_ascii() && text.chars().any(|c| lookalike::meant(c) == Some("."))
        || text.contains(['\u{2025}', '\u{fe30}'])
}

/// The readings of a text that is not decoded any further.
fn plain(text: &str, guessed: bool, found: &mut Vec<Reading>) {
    if text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        return;
    }
    let mut add = |path: Cow<'_, str>, guessed: bool| {
        let is_known = |reading: &Reading| reading.path == path && reading.guessed == guessed;
        if leads_out(&path) && !found.iter().any(is_known) {
            found.push(Reading { path: path.into_owned(), guessed });
        }
    };
    let inner = inner(text);
    if inner.contains('\0') {
        add(inner.split('\0').next().unwrap_or_default().into(), guessed);
        add(inner.replace('\0', "").into(), guessed);
        return;
    }
    if inner.contains('\\') {
        add(inner.replace('\\', "/").into(), true);
    }
    add(inner.into(), guessed);
}

/// The path in `file://host/path`, `--option=/path` and `-X/path`; the text itself elsewhere.
fn inner(text: &str) -> &str {
    if is_file_scheme(text) {
        let rest = text.get(5..).unwrap_or_default();
        return match rest.strip_prefix("//") {
            Some(authority) => authority.find('/').and_then(|at| authority.get(at..)).unwrap_or(authority),
            None => rest,
        };
    }
    if !text.starts_with('-') {
        return text;
    }
    let glued = text.char_indices().nth(2).and_then(|(at, _)| text.get(at..));
    match (text.split_once('='), glued) {
        (Some((_, value)), _) => value,
        (None, Some(value)) if value.starts_with(['/', '.', '~']) => value,
        _ => text,
    }
}

fn is_file_scheme(text: &str) -> bool {
    text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("file:"))
}

/// Whether a path is absolute, climbs above where it begins, or begins with a home.
fn leads_out(path: &str) -> bool {
    path.starts_with('/') || is_home(path) || climbs(path)
}

/// `~`, `~/…`, `~name/…`.
pub(super) fn is_home(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('~') else { return false };
    let (name, has_more) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
    name.is_empty()
        || has_more
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Whether a relative path has, at some point, more `..` than names before it.
fn climbs(path: &str) -> bool {
    let mut depth = 0i64;
    path.split('/').any(|part| {
        match part.trim() {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        depth < 0
    })
}

/// The text with its percent-escapes decoded; `None` when it has none.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'%', bytes.get(from..)?).map(|at| at + from) {
        match percent::byte(bytes, at) {
            Some(byte) => {
                let decoded = decoded.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
                decoded.extend_from_slice(bytes.get(copied..at)?);
                decoded.push(byte);
                copied = at + 3;
                from = at + 3;
            }
            None => from = at + 1,
        }
    }
    let mut decoded = decoded?;
    decoded.extend_from_slice(bytes.get(copied..)?);
    Some(String::from_utf8_lossy(&decoded).into_owned())
}

/// Whether a text has a percent-escape in it.
pub(super) fn has_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'%', bytes).any(|at| percent::byte(bytes, at).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(text: &str) -> Vec<String> {
        readings(text).into_iter().map(|reading| reading.path).collect()
    }

    #[test]
    fn a_path_is_found_in_every_spelling() {
        for (text, path) in [
            ("/etc/passwd", "/etc/passwd"),
            (" /etc/passwd\n", "/etc/passwd"),
            ("%2Fetc%2fpasswd", "/etc/passwd"),
            ("%25252Fetc", "/etc"),
            ("file:///etc/passwd", "/etc/passwd"),
            ("FILE://localhost/etc", "/etc"),
            ("file:/etc", "/etc"),
            ("file:///%65tc", "/etc"),
            ("／etc／passwd", "/etc/passwd"),
            ("..\\..\\etc", "../../etc"),
            ("a/../../b", "a/../../b"),
            ("%2e%2e/b", "../b"),
            ("\u{2025}/b", "../b"),
            ("x\u{2024}\u{2024}/../../b", "x../../../b"),
            ("~", "~"),
            ("~/.ssh", "~/.ssh"),
            ("~root/x", "~root/x"),
            ("/a\0/b", "/a"),
            ("--output=/etc/x", "/etc/x"),
            ("-C/etc", "/etc"),
            ("-I../../x", "../../x"),
            ("x://../../../etc", "x://../../../etc"),
        ] {
            assert!(paths(text).iter().any(|found| found == path), "{text:?}: {:?}", paths(text));
        }
    }

    #[test]
    fn text_has_no_readings() {
        for text in [
            "",
            "and/or",
            "a/b/c.md",
            "./a/../b",
            "https://example.com/a/../b",
            "50% of 1/2",
            "...",
            "wait.. / then go",
            "see ../README.md",
            "~5 minutes",
            "first line\n/etc/passwd\nlast line",
            "// a comment\ncode();",
            "-v",
            "--depth=3",
            "日本語／中国語",
        ] {
            assert_eq!(paths(text), Vec::<String>::new(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_few_readings(text in "[/.~%2eEf\\\\ \u{2215}\u{2025}\0a-]{0,40}") {
            prop_assert!(readings(&text).len() <= 3 * (MAX_DECODINGS + 1));
        }

        #[test]
        fn an_absolute_path_always_has_one(rest in "[^\n\r\u{85}\u{2028}\u{2029}\0]{0,40}") {
            let path = format!("/{rest}");
            prop_assert!(!readings(&path).is_empty());
        }
    }
}
