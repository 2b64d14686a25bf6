//! What a change would do to a file, as lines for people: `-`, `+`, and three lines around.
//!
//! Made from the splices themselves, so that it shows exactly them. Hidden parts ([`secret`]) have a mark in their
//! place on every line, changed or not; long lines are cut around what changes.

use std::ops::Range;

use crate::clients::secret::shown;
use crate::clients::splice::Splice;

/// Lines shown around a change.
const AROUND: usize = 3;
/// Longest line that is shown whole, in characters.
const LONGEST: usize = 200;
/// What is shown of a longer one around what changes.
const NEAR: usize = 60;

/// One line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `@@ -1,4 +1,4 @@`
    Place(String),
    /// As before.
    Kept(String),
    /// Goes.
    Removed(String),
    /// Comes.
    Added(String),
}

impl Line {
    /// As it stands in a difference, not escaped.
    pub fn text(&self) -> String {
        match self {
            Line::Place(text) => text.clone(),
            Line::Kept(text) => format!(" {text}"),
            Line::Removed(text) => format!("-{text}"),
            Line::Added(text) => format!("+{text}"),
        }
    }
}

/// A text and what is hidden of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'t> {
    pub(super) text: &'t str,
    pub(super) hidden: &'t [Range<usize>],
}

/// The lines of a text, by where each begins and ends (its newline not included).
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end_matches('\n').trim_end_matches('\r').len();
        found.push(at..end);
        at += line.len();
    }
    found
}

/// Whole lines of the old text that give way to whole lines of the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    old: Range<usize>,
    new: Range<usize>,
}

/// The difference that `splices` make of `old`; `new` is what came of it.
pub(super) fn difference(old: Side<'_>, new: Side<'_>, splices: &[Splice]) -> Vec<Line> {
    let (old_lines, new_lines) = (lines(old.text), lines(new.text));
    let blocks = blocks(&old_lines, &new_lines, splices);
    let mut out = Vec::new();
    let mut at = 0;
    while at < blocks.len() {
        // Blocks whose surroundings touch are shown together.
        let mut last = at;
        while blocks.get(last + 1).is_some_and(|next| next.old.start <= blocks[last].old.end + 2 * AROUND) {
            last += 1;
        }
        hunk(old, new, (&old_lines, &new_lines), &blocks[at..=last], &mut out);
        at = last + 1;
    }
    out
}

fn blocks(old: &[Range<usize>], new: &[Range<usize>], splices: &[Splice]) -> Vec<Block> {
    let line_of = |lines: &[Range<usize>], byte: usize| {
        lines.partition_point(|line| line.start <= byte).saturating_sub(1)
    };
    let mut sorted: Vec<&Splice> = splices.iter().collect();
    sorted.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let mut blocks: Vec<Block> = Vec::new();
    let mut shift = 0isize;
    for splice in sorted {
        let moved = |byte: usize, by: isize| byte.saturating_add_signed(by);
        let start = moved(splice.at.start, shift);
        let end = start + splice.text.len();
        shift +=
            isize::try_from(splice.text.len()).unwrap_or(0) - isize::try_from(splice.at.len()).unwrap_or(0);
        let block = Block {
            old: line_of(old, splice.at.start)..line_of(old, splice.at.end) + 1,
            new: line_of(new, start)..line_of(new, end) + 1,
        };
        match blocks.last_mut() {
            Some(last) if block.old.start < last.old.end => {
                last.old.end = last.old.end.max(block.old.end);
                last.new.end = last.new.end.max(block.new.end);
            }
            _ => blocks.push(block),
        }
    }
    blocks
}

fn hunk(
    old: Side<'_>,
    new: Side<'_>,
    (old_lines, new_lines): (&[Range<usize>], &[Range<usize>]),
    blocks: &[Block],
    out: &mut Vec<Line>,
) {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return };
    let start = first.old.start.saturating_sub(AROUND);
    let end = (last.old.end + AROUND).min(old_lines.len());
    let new_start = first.new.start.saturating_sub(first.old.start - start);
    let new_end = last.new.end + (end - last.old.end);
    out.push(Line::Place(format!(
        "@@ -{},{} +{},{} @@",
        start + 1,
        end - start,
        new_start + 1,
        new_end - new_start
    )));
    let mut at = start;
    let kept = |range: Range<usize>, out: &mut Vec<Line>| {
        let lines = old_lines.get(range).unwrap_or_default();
        out.extend(lines.iter().map(|line| Line::Kept(head(&shown(old.text, line.clone(), old.hidden)))));
    };
    for block in blocks {
        kept(at..block.old.start, out);
        let show = |side: Side<'_>, lines: &[Range<usize>]| -> Vec<String> {
            lines.iter().map(|line| shown(side.text, line.clone(), side.hidden)).collect()
        };
        let mut before = show(old, old_lines.get(block.old.clone()).unwrap_or_default());
        let mut after = show(new, new_lines.get(block.new.clone()).unwrap_or_default());
        // What is equal at both ends was only touched.
        let mut led = 0;
        while led < before.len().min(after.len()) && before[led] == after[led] {
            led += 1;
        }
        kept(block.old.start..block.old.start + led, out);
        before.drain(..led);
        after.drain(..led);
        let mut trailed = 0;
        while before.last().is_some_and(|last| after.last() == Some(last)) {
            before.pop();
            after.pop();
            trailed += 1;
        }
        let pairs: Vec<(Option<&String>, Option<&String>)> =
            (0..before.len().max(after.len())).map(|n| (before.get(n), after.get(n))).collect();
        out.extend(pairs.iter().filter_map(|(line, other)| Some(Line::Removed(cut(line.as_ref()?, *other)))));
        out.extend(pairs.iter().filter_map(|(other, line)| Some(Line::Added(cut(line.as_ref()?, *other)))));
        kept(block.old.end - trailed..block.old.end, out);
        at = block.old.end;
    }
    kept(at..end, out);
}

/// The beginning of a line that only stands around.
fn head(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} [\u{2026}]", &line[..end]),
        None => line.to_owned(),
    }
}

/// A line, or its part around what is not in the other one.
fn cut(line: &str, other: Option<&String>) -> String {
    if line.chars().nth(LONGEST).is_none() {
        return line.to_owned();
    }
    let other = other.map(String::as_str).unwrap_or_default();
    let led = line.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let most = line.len().min(other.len()) - led.min(other.len());
    let trailed = line.bytes().rev().zip(other.bytes().rev()).take(most).take_while(|(a, b)| a == b).count();
    let start = line.floor_char_boundary(led.saturating_sub(NEAR));
    let end = line.ceil_char_boundary((line.len() - trailed + NEAR).min(line.len()));
    let (before, after) =
        (if start > 0 { "[\u{2026}] " } else { "" }, if end < line.len() { " [\u{2026}]" } else { "" });
    format!("{before}{}{after}", line.get(start..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::splice::apply;

    fn drawn(old: &str, splices: &[Splice], hidden: &[Range<usize>]) -> String {
        let new = apply(old, splices).unwrap();
        let lines = difference(Side { text: old, hidden }, Side { text: &new, hidden: &[] }, splices);
        lines.iter().map(|line| line.text() + "\n").collect()
    }

    #[test]
    fn whole_lines_with_three_around() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let text = drawn(old, &[Splice::new(8..9, "five\nand"), Splice::insert(17, "\n10")], &[]);
        assert_eq!(text, "@@ -2,8 +2,10 @@\n 2\n 3\n 4\n-5\n+five\n+and\n 6\n 7\n 8\n 9\n+10\n");
    }

    #[test]
    fn the_hidden_stays_hidden_and_the_long_is_cut() {
        let old = format!("A=secret\nB={}x{}\n", "a".repeat(300), "b".repeat(300));
        let at = 9 + 2 + 300;
        let text = drawn(&old, &[Splice::new(at..at + 1, "y")], std::slice::from_ref(&(2..8)));
        assert!(text.contains(" A=\u{2026}\n") && !text.contains("secret"), "{text}");
        assert!(text.lines().all(|line| line.len() < 200), "{text}");
        assert!(text.contains("axb") && text.contains("ayb"), "{text}");
    }
}
