//! The values of the environment's secret variables, in every form in which a program prints them.
//!
//! As they are, part by part (a password in an address, the lines of a key, the strings of a JSON document), in
//! base64 (both alphabets, at each of the three alignments) and in hexadecimal. Percent-encoding and JSON's escapes
//! are undone before anything is looked for.

use crate::audit::redact::class::Class;
use crate::audit::redact::forms;
use crate::policy::sensitive::{Sensitivity, sensitivity};

/// Shorter values are too common to be looked for within other text.
pub(super) const SHORTEST: usize = 6;
/// Shorter parts of a value are not looked for by themselves.
const SHORTEST_PART: usize = 8;
/// Shorter encodings could be anything.
const SHORTEST_ENCODED: usize = 7;

/// One value.
#[derive(Clone)]
pub(super) struct Value {
    /// The kind that a mark names: the variable.
    pub(super) kind: String,
    /// What is digested: the same for every form.
    pub(super) plain: Vec<u8>,
}

/// A form in which a value may stand.
#[derive(Clone)]
pub(super) struct Form {
    /// Which value.
    pub(super) value: usize,
    /// What to look for.
    pub(super) bytes: Vec<u8>,
    /// Whether capitals count as small letters.
    pub(super) fold: bool,
    /// What is around it belongs to it, as far as it is of this class.
    pub(super) around: Option<Class>,
}

impl Form {
    /// Whether `bytes`, a part of this form, stands as `text`.
    pub(super) fn is(&self, bytes: &[u8], text: &[u8]) -> bool {
        if self.fold { bytes.eq_ignore_ascii_case(text) } else { bytes == text }
    }
}

/// All values and all their forms, the longest first.
#[derive(Clone, Default)]
pub(super) struct Values {
    pub(super) values: Vec<Value>,
    pub(super) forms: Vec<Form>,
    /// Values that are taken out where they are the whole of a text only.
    pub(super) short: Vec<(Vec<u8>, usize)>,
}

impl Values {
    /// `secrets` are kinds with values.
    pub(super) fn new(secrets: &[(String, String)]) -> Self {
        let mut all = Values::default();
        for (name, whole) in secrets {
            // A mark has room for a name that is one.
            let plain = name.len() <= 60 && name.bytes().all(|byte| Class::Dot.has(byte));
            let kind = if plain { name.clone() } else { "env.other".to_owned() };
            for part in parts(whole) {
                all.add(&kind, part.as_bytes());
            }
        }
        all.forms.sort_by_key(|form| std::cmp::Reverse(form.bytes.len()));
        all
    }

    /// The length of the longest form.
    pub(super) fn longest(&self) -> usize {
        self.forms.first().map_or(0, |form| form.bytes.len())
    }

    fn add(&mut self, kind: &str, plain: &[u8]) {
        let value = self.values.len();
        self.values.push(Value { kind: kind.to_owned(), plain: plain.to_owned() });
        if plain.len() < SHORTEST {
            self.short.push((plain.to_owned(), value));
            return;
        }
        let mut form = |bytes: Vec<u8>, fold, around| self.forms.push(Form { value, bytes, fold, around });
        if plain.contains(&b' ') {
            form(plain.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect(), false, None);
        }
        form(plain.to_owned(), false, None);
        form(
            plain.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
            true,
            Some(Class::Hex),
        );
        for alignment in 0..3 {
            let (standard, url) = base64(plain, alignment);
            if standard.len() >= SHORTEST_ENCODED {
                if url != standard {
                    form(url, false, Some(Class::Base64));
                }
                form(standard, false, Some(Class::Base64));
            }
        }
    }
}

/// The value, and what a program may take out of it and print by itself.
fn parts(whole: &str) -> Vec<String> {
    let trimmed = whole.trim();
    if trimmed.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![trimmed.to_owned()];
    for at in memchr::memmem::find_iter(trimmed.as_bytes(), b"://") {
        let password = forms::password_in_url(trimmed.as_bytes(), at).and_then(|range| trimmed.get(range));
        parts.extend(password.filter(|password| password.len() >= SHORTEST).map(str::to_owned));
    }
    let longer = |part: &&str| part.len() >= SHORTEST_PART * 2;
    if trimmed.contains('\n') {
        parts.extend(trimmed.lines().map(str::trim).filter(longer).map(str::to_owned));
    }
    if trimmed.starts_with(['{', '['])
        && let Ok(document) = serde_json::from_str(trimmed)
    {
        strings(&document, Sensitivity::None, &mut parts);
    }
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// The strings of a document that its own names call secrets.
fn strings(value: &serde_json::Value, named: Sensitivity, parts: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if named == Sensitivity::Strong && text.len() >= SHORTEST_PART => {
            parts.push(text.trim().to_owned());
            let lines = text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_PART * 2);
            parts.extend(lines.map(str::to_owned));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| strings(value, named, parts)),
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(name, value)| strings(value, named.max(sensitivity(name)), parts));
        }
        _ => {}
    }
}

/// The characters that depend on `plain` alone when `alignment` bytes stand before it (RFC 4648), in both alphabets.
fn base64(plain: &[u8], alignment: usize) -> (Vec<u8>, Vec<u8>) {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // Six bits at a time, from the first whole six on.
    let mut bits = (alignment * 8).div_ceil(6) * 6 - alignment * 8;
    let mut encoded = Vec::with_capacity(plain.len() * 4 / 3 + 1);
    while bits + 6 <= plain.len() * 8 {
        let (at, shift) = (bits / 8, bits % 8);
        let high = u16::from(plain.get(at).copied().unwrap_or_default()) << 8;
        let pair = high | u16::from(plain.get(at + 1).copied().unwrap_or_default());
        encoded.push(STANDARD[usize::from(pair << shift >> 10)]);
        bits += 6;
    }
    let url = encoded.iter().map(|byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        same => *same,
    });
    let url = url.collect();
    (encoded, url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_at_each_alignment() {
        // "user:" before "secret-value" moves it by two; nothing, and "x", by none and one.
        let text = |bytes: (Vec<u8>, Vec<u8>)| String::from_utf8(bytes.0).unwrap();
        assert!("c2VjcmV0LXZhbHVl".starts_with(&text(base64(b"secret-value", 0))));
        assert!("eHNlY3JldC12YWx1ZQ==".contains(&text(base64(b"secret-value", 1))));
        assert!("dXNlcjpzZWNyZXQtdmFsdWU=".contains(&text(base64(b"secret-value", 2))));
        assert_eq!(text(base64(b"secret-value", 1)).len(), 15);
        let (standard, url) = base64(b"\xfb\xff\xfe", 0);
        assert_eq!((standard, url), (b"+//+".to_vec(), b"-__-".to_vec()));
    }

    #[test]
    fn parts_that_are_printed_by_themselves() {
        assert_eq!(parts("  abc\n"), ["abc"]);
        assert_eq!(parts("postgres://me:hunter2x@db/x"), ["hunter2x", "postgres://me:hunter2x@db/x"]);
        let document =
            r#"{"client_email":"someone@example.org","private_key":"line-of-a-key-1\nline-of-a-key-22"}"#;
        let found = parts(document);
        assert!(found.iter().any(|part| part == "line-of-a-key-22"), "{found:?}");
        assert!(!found.iter().any(|part| part == "someone@example.org"), "{found:?}");
        assert!(parts(" \n").is_empty());
    }
}
