//! Which bytes of a configuration are nobody's business but its owner's.
//!
//! Values in blocks of variables and headers, whatever they are; values whose name says that they are secret; words
//! after such flags; comments between the values of such blocks. What is shown of a file has a mark in their place.

use std::ops::Range;

use crate::clients::tree::{Node, Value};
use crate::policy::sensitive::{Sensitivity, sensitivity};

/// Members whose values are hidden, all of them.
const BLOCKS: &[&str] =
    &["env", "environment", "envs", "headers", "http_headers", "httpheaders", "requestinit", "oauth", "auth"];

/// What stands in the place of what is hidden; the redaction of the log takes it for that.
pub(super) const HIDDEN: &str = "***";

/// What is hidden of one file.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// In the order of the text, none touching another.
    pub(super) spans: Vec<Range<usize>>,
    /// The name and the value of each text among them.
    pub(super) values: Vec<(String, String)>,
}

/// Finds them.
pub(super) fn hidden(tree: &Node, text: &str) -> Hidden {
    let mut hidden = Hidden::default();
    walk(tree, text, &mut hidden);
    hidden.spans.sort_by_key(|span| (span.start, span.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for span in hidden.spans.drain(..).filter(|span| !span.is_empty()) {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    hidden.spans = merged;
    hidden
}

fn walk(node: &Node, text: &str, hidden: &mut Hidden) {
    match &node.value {
        Value::Object(members) => {
            for member in members {
                let is_scalar = matches!(member.node.value, Value::Text(_) | Value::Other);
                if BLOCKS.contains(&member.key.to_lowercase().as_str()) && !is_scalar {
                    block(&member.node, text, hidden);
                } else if is_scalar && sensitivity(&member.key) != Sensitivity::None {
                    value(&member.key, &member.node, text, hidden);
                } else {
                    walk(&member.node, text, hidden);
                }
            }
        }
        Value::Array(nodes) => words(nodes, text, hidden),
        Value::Text(_) | Value::Other => {}
    }
}

/// Everything in it but the names and the signs between.
fn block(node: &Node, text: &str, hidden: &mut Hidden) {
    match &node.value {
        Value::Object(members) => {
            let is_braced = text.get(node.span.start..).is_some_and(|rest| rest.starts_with('{'));
            let mut at = if is_braced { Some(node.span.start + 1) } else { None };
            for member in members {
                if let Some(at) = at {
                    comments(text, at..member.key_span.start, hidden);
                }
                comments(text, member.key_span.end..member.node.span.start, hidden);
                match member.node.value {
                    Value::Object(_) | Value::Array(_) => block(&member.node, text, hidden),
                    _ => value(&member.key, &member.node, text, hidden),
                }
                at = Some(member.node.span.end);
            }
            if let (Some(at), true) = (at, is_braced) {
                comments(text, at..node.span.end.saturating_sub(1), hidden);
            } else if let Some(at) = at {
                let line = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end);
                comments(text, at..line, hidden);
            }
        }
        Value::Array(nodes) => nodes.iter().for_each(|node| block(node, text, hidden)),
        Value::Text(_) | Value::Other => value("", node, text, hidden),
    }
}

/// A value, its quotes left standing.
fn value(name: &str, node: &Node, text: &str, hidden: &mut Hidden) {
    let slice = text.get(node.span.clone()).unwrap_or_default();
    let quotes =
        ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| slice.starts_with(quotes)).map_or(0, str::len);
    hidden
        .spans
        .push(node.span.start + quotes..node.span.end.saturating_sub(quotes).max(node.span.start + quotes));
    if let Some(said) = node.text() {
        hidden.values.push((name.to_owned(), said.to_owned()));
    }
}

/// What stands between two members and is more than a sign.
fn comments(text: &str, gap: Range<usize>, hidden: &mut Hidden) {
    let slice = text.get(gap.clone()).unwrap_or_default();
    let is_sign = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | '=' | '.' | '[' | ']');
    let (Some(first), Some(last)) = (slice.find(|c| !is_sign(c)), slice.rfind(|c| !is_sign(c))) else {
        return;
    };
    let last = slice[last..].chars().next().map_or(last, |c| last + c.len_utf8());
    // A table's header in TOML stands between the members of two tables, and is no comment.
    if !slice[first..].starts_with(['/', '#']) {
        return;
    }
    let mut at = first;
    for line in slice[first..last].split_inclusive('\n') {
        let shown = line.trim_end();
        let blank = shown.len() - shown.trim_start().len();
        hidden.spans.push(gap.start + at + blank..gap.start + at + shown.len());
        at += line.len();
    }
}

/// Flags whose value may hold anything.
const CARRIERS: &[&str] = &["-e", "--env", "-H", "--header", "-u", "--user"];

/// Words of a command: those after a flag that says so, and what is assigned to such a name.
fn words(nodes: &[Node], text: &str, hidden: &mut Hidden) {
    let mut before = "";
    for node in nodes {
        match node.text() {
            Some(word) => {
                // Ours takes a name.
                let flag = before.strip_prefix('-').filter(|_| before != "--pass-env");
                let flag = flag.map(|flag| flag.trim_start_matches('-'));
                let assigned = word.split_once('=').filter(|(name, _)| {
                    before != "-e"
                        && before != "--env"
                        && sensitivity(name.trim_start_matches('-')) != Sensitivity::None
                });
                if CARRIERS.contains(&before) && !word.starts_with('-') {
                    // `-e NAME=value`: the name is what a reader wants to see, and is none of the secret.
                    match word.split_once(['=', ':']) {
                        Some((name, said)) => after_sign(name, said, node, text, hidden),
                        None if matches!(before, "-e" | "--env") => {}
                        None => value("", node, text, hidden),
                    }
                } else if let Some((name, said)) = assigned {
                    after_sign(name, said, node, text, hidden);
                } else if flag
                    .is_some_and(|flag| !flag.contains('=') && sensitivity(flag) != Sensitivity::None)
                    && !word.starts_with('-')
                {
                    value("", node, text, hidden);
                }
                before = word;
            }
            None => {
                walk(node, text, hidden);
                before = "";
            }
        }
    }
}

/// The part of a word after its first sign.
fn after_sign(name: &str, said: &str, node: &Node, text: &str, hidden: &mut Hidden) {
    let slice = text.get(node.span.clone()).unwrap_or_default();
    let start = slice.find(['=', ':']).map_or(0, |at| at + 1);
    hidden.spans.push(node.span.start + start..node.span.end.saturating_sub(1).max(node.span.start + start));
    hidden.values.push((name.trim_start_matches('-').to_owned(), said.trim().to_owned()));
}

/// `text` with a mark in the place of each hidden part of `range`.
pub(super) fn shown(text: &str, range: Range<usize>, spans: &[Range<usize>]) -> String {
    let mut out = String::new();
    let mut at = range.start;
    let first = spans.partition_point(|span| span.end <= range.start);
    for span in spans.iter().skip(first).take_while(|span| span.start < range.end) {
        out.push_str(text.get(at..span.start.max(at)).unwrap_or_default());
        out.push_str(HIDDEN);
        at = span.end.min(range.end);
    }
    out.push_str(text.get(at..range.end).unwrap_or_default());
    out
}
