//! One self-contained page: markup, style and script of ours, and the report as data.
//!
//! Nothing of a log is markup. The data stand in a script element that is not run (`application/json`), with every
//! character that could end it written as an escape of JSON's; the script puts them on the page as text alone, which
//! `require-trusted-types-for` holds it to. The policy (Content Security Policy Level 3) lets in the style and the
//! script that have these digests, and nothing else: no request, no frame, no form, no second script.

use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::audit::report::selection::Omitted;
use crate::audit::report::{Report, Session, Totals, Verified};

const MARKUP: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// In this order; each is a function body's worth of plain script.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("page/text.js"),
    include_str!("page/model.js"),
    include_str!("page/axis.js"),
    include_str!("page/rows.js"),
    include_str!("page/details.js"),
    include_str!("page/view.js"),
);

/// What stands at the head of the data.
#[derive(Debug, Serialize)]
struct Head<'a> {
    v: u32,
    made: &'a str,
    caponier: &'static str,
    asked: &'a str,
    sessions: &'a [Session],
    totals: Totals,
    omitted: Omitted,
    verified: Option<&'a Verified>,
    unverified: Option<&'a str>,
    notes: &'a [String],
    more_notes: u64,
}

/// Writes the page. `made` is the time of the report, `asked` what was asked for, as on a command line.
pub fn write(report: &Report, made: &str, asked: &str, out: &mut impl Write) -> io::Result<()> {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'",
        source(STYLE),
        source(SCRIPT)
    );
    let mut rest = MARKUP;
    for (mark, text) in [("{{policy}}", &*policy), ("{{style}}", STYLE)] {
        rest = fill(rest, mark, text, out)?;
    }
    let (before, after) = cut(rest, "{{data}}")?;
    out.write_all(before.as_bytes())?;
    data(report, made, asked, out)?;
    rest = fill(after, "{{script}}", SCRIPT, out)?;
    out.write_all(rest.as_bytes())
}

fn fill<'a>(markup: &'a str, mark: &str, text: &str, out: &mut impl Write) -> io::Result<&'a str> {
    let (before, after) = cut(markup, mark)?;
    out.write_all(before.as_bytes())?;
    out.write_all(text.as_bytes())?;
    Ok(after)
}

fn cut<'a>(markup: &'a str, mark: &str) -> io::Result<(&'a str, &'a str)> {
    markup.split_once(mark).ok_or_else(|| io::Error::other(format!("the page has no place for {mark}")))
}

fn data(report: &Report, made: &str, asked: &str, out: &mut impl Write) -> io::Result<()> {
    let head = Head {
        v: 1,
        made,
        caponier: env!("CARGO_PKG_VERSION"),
        asked,
        sessions: &report.sessions,
        totals: report.totals,
        omitted: report.omitted(),
        verified: report.verified.as_ref().ok(),
        unverified: report.verified.as_ref().err().map(String::as_str),
        notes: &report.notes,
        more_notes: report.more_notes,
    };
    let head = serde_json::to_string(&head)?;
    let open = head.strip_suffix('}').unwrap_or(&head);
    inert(open, out)?;
    out.write_all(b",\"events\":[")?;
    for (at, line) in report.selection.lines().enumerate() {
        out.write_all(if at == 0 { b"\n" } else { b",\n" })?;
        inert(line, out)?;
    }
    out.write_all(b"\n]}")
}

/// Writes JSON so that it cannot leave its element, whatever it says. `<`, `>`, `&` and the two line separators stand
/// in JSON within strings alone, where an escape means the same (RFC 8259, 7).
fn inert(json: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rest = json;
    while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        let (before, tail) = rest.split_at(at);
        out.write_all(before.as_bytes())?;
        let mut characters = tail.chars();
        let code = characters.next().map_or(0, u32::from);
        write!(out, "\\u{code:04x}")?;
        rest = characters.as_str();
    }
    out.write_all(rest.as_bytes())
}

/// `sha256-…`, the source expression of an element with this text.
fn source(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text.as_bytes())))
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => text.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn data_cannot_leave_their_element_and_say_the_same() {
        let hostile = serde_json::json!({"path": "</script><script>x&y<!--\u{2028}\u{2029}"});
        let mut out = Vec::new();
        inert(&hostile.to_string(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), hostile);
    }

    #[test]
    fn what_is_ours_cannot_end_its_element() {
        for (text, end) in [(STYLE, "</style"), (SCRIPT, "</script"), (SCRIPT, "<!--"), (SCRIPT, "innerHTML")]
        {
            assert!(!text.contains(end), "{end}");
        }
        let attributes = MARKUP.split_whitespace().filter(|word| word.contains('='));
        for attribute in attributes {
            assert!(!attribute.starts_with("on") && !attribute.starts_with("style="), "{attribute}");
        }
        for foreign in ["http:", "https:", "//cdn", "@import", "url("] {
            assert!(![MARKUP, STYLE, SCRIPT].iter().any(|text| text.contains(foreign)), "{foreign}");
        }
    }
}
