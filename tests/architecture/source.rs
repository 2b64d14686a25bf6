//! Reads Rust source just well enough for the rules: what is code, what is test code, which paths it names.

use std::ops::Range;

/// The source with every comment, string and character literal blanked out; offsets and lines stay the same.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        if let Some(end) = end {
            code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(code).unwrap()
}

/// Where the comment or literal that begins at `at` ends; `None` when none begins there.
fn literal_or_comment(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let within_word = at > 0 && is_word(bytes[at - 1]);
    if rest.starts_with(b"//") {
        Some(at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()))
    } else if rest.starts_with(b"/*") {
        let mut depth = 0;
        let mut end = 0;
        while end < rest.len() {
            match &rest[end..] {
                [b'/', b'*', ..] => (depth, end) = (depth + 1, end + 2),
                [b'*', b'/', ..] => (depth, end) = (depth - 1, end + 2),
                _ => end += 1,
            }
            if depth == 0 {
                break;
            }
        }
        Some(at + end)
    } else if rest[0] == b'"' {
        Some(at + quoted(rest, b'"'))
    } else if rest[0] == b'r' && (!within_word || matches!(bytes[at - 1], b'b' | b'c')) {
        let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(1 + hashes) != Some(&b'"') {
            return None;
        }
        let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
        let body = &rest[hashes + 2..];
        let length = body.windows(close.len()).position(|window| window == close);
        Some(at + hashes + 2 + length.map_or(body.len(), |length| length + close.len()))
    } else if rest[0] == b'\'' {
        // 'x' or '\n' is a character; 'x without the closing quote is a lifetime.
        match rest {
            [_, b'\\', ..] => Some(at + quoted(rest, b'\'')),
            _ => {
                let width = std::str::from_utf8(&rest[1..]).ok()?.chars().next()?.len_utf8();
                (rest.get(1 + width) == Some(&b'\'')).then_some(at + width + 2)
            }
        }
    } else {
        None
    }
}

/// The length of the quoted literal at the head of `rest`.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut end = 1;
    while end < rest.len() && rest[end] != quote {
        end += if rest[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(rest.len())
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The items behind `#[cfg(test)]`, as ranges of bytes. `code` has no comments or strings any more.
pub(crate) fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let mut depth = 0;
        let mut end = code.len();
        for (offset, byte) in code[start..].bytes().enumerate().skip("#[cfg(test)]".len()) {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b';' if depth == 0 => (),
                _ => continue,
            }
            if depth == 0 {
                end = start + offset + 1;
                break;
            }
        }
        items.push(start..end);
        from = end;
    }
    items
}

/// `code` with the test items blanked out.
pub(crate) fn without_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for item in test_items(code) {
        bytes[item].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8(bytes).unwrap()
}

/// The words of `code`, each with its line (from 1).
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(line, text)| {
        text.split(|c: char| !(c == '_' || c.is_alphanumeric()))
            .filter(|word| !word.is_empty())
            .map(move |word| (line + 1, word))
    })
}

/// Every path behind `root` (`crate::` or `super::`), `use` groups taken apart, each with its line.
///
/// `use crate::a::{b::C, d};` gives `[a, b, C]` and `[a, d]`.
pub(crate) fn paths(code: &str, root: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        let joined =
            code[..at].bytes().next_back().is_some_and(|byte| is_word(byte) || byte == b':' || byte == b'$');
        if !joined {
            let line = code[..at].matches('\n').count() + 1;
            let mut trees = Vec::new();
            tree(&code[at + root.len()..], &[], &mut trees);
            found.extend(trees.into_iter().map(|path| (line, path)));
        }
    }
    found
}

/// Reads one use tree, pushes its paths, and returns what follows it.
fn tree<'a>(text: &'a str, before: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut inner) = text.strip_prefix('{') {
        loop {
            inner = inner.trim_start();
            if let Some(after) = inner.strip_prefix('}') {
                return after;
            }
            if inner.is_empty() {
                return inner;
            }
            let after = tree(inner, before, found).trim_start();
            // An alias, or something that is no use tree at all: on to the next comma or brace.
            inner = after.trim_start_matches(|c| c != ',' && c != '}').trim_start_matches(',');
        }
    }
    let width = text.find(|c: char| !(c == '_' || c.is_alphanumeric())).unwrap_or(text.len());
    let mut path = before.to_vec();
    if width > 0 && &text[..width] != "self" {
        path.push(text[..width].to_owned());
    }
    let after = &text[width..];
    match after.trim_start().strip_prefix("::") {
        Some(deeper) if width > 0 && !deeper.trim_start().starts_with('<') => tree(deeper, &path, found),
        _ => {
            found.push(path);
            after.strip_prefix('*').unwrap_or(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let source = "a // unsafe\n/* x /* unsafe */ */ b \"un\\\"safe\" 'u' '\\'' &'static r#\"\"unsafe\"# br\"\\\" c";
        let code = code_only(source);
        assert_eq!(code.len(), source.len());
        assert_eq!(words(&code).map(|(_, word)| word).collect::<Vec<_>>(), ["a", "b", "static", "b", "c"]);
    }

    #[test]
    fn test_items_end_with_their_brace_or_semicolon() {
        let code =
            "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { } }\nfn c() {}\n#[cfg(test)]\nuse d;\nfn e() {}";
        let rest = without_tests(code);
        let words: Vec<_> = words(&rest).map(|(_, word)| word).collect();
        assert_eq!(words, ["fn", "a", "fn", "c", "fn", "e"]);
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let code = "use crate::a::{b::C, d::{self, E as F}, g::*};\nlet x = crate::h::i::<u8>();\n$crate::no; mycrate::no";
        let found: Vec<String> = paths(code, "crate::")
            .into_iter()
            .map(|(line, path)| format!("{line} {}", path.join("/")))
            .collect();
        assert_eq!(found, ["1 a/b/C", "1 a/d", "1 a/d/E", "1 a/g", "2 h/i"]);
    }
}
