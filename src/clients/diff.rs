//! What a change would do to a file, as lines for people: `-`, `+`, and three lines around.
//!
//! Made from the splices themselves, so that it shows exactly them. Hidden parts ([`secret`]) have a mark in their
//! place on every line, changed or not; long lines are cut around what changes.

use std::ops::Range;

use crate::clients::secret::shown;
use crate::clients::splice::Splice;

/// Lines shown around a change.
const AROUND: usize = 3;
/// Longest line that is shown whole.
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

/// One of the two texts by lines, and which of its bytes are not in the other one.
struct Page<'t> {
    side: Side<'t>,
    lines: Vec<Range<usize>>,
    changed: Vec<Range<usize>>,
}

impl Page<'_> {
    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|line| line.start <= byte).saturating_sub(1)
    }

    fn touched(&self, span: &Range<usize>) -> Range<usize> {
        self.line_of(span.start)..self.line_of(span.end) + 1
    }

    fn range(&self, lines: Range<usize>) -> &[Range<usize>] {
        self.lines.get(lines).unwrap_or_default()
    }

    fn shown(&self, span: Range<usize>) -> String {
        shown(self.side.text, span, self.side.hidden)
    }

    /// A line that only stands around, or its beginning.
    fn head(&self, line: &Range<usize>) -> String {
        match self.side.text.get(line.clone()).and_then(|text| text.char_indices().nth(LONGEST)) {
            Some((length, _)) => format!("{} [\u{2026}]", self.shown(line.start..line.start + length)),
            None => self.shown(line.clone()),
        }
    }

    /// A changed line, or what of it stands near the changes.
    fn near(&self, line: &Range<usize>) -> String {
        let text = self.side.text;
        if line.len() <= LONGEST {
            return self.shown(line.clone());
        }
        let mut windows: Vec<Range<usize>> = Vec::new();
        for span in self.changed.iter().filter(|span| span.start <= line.end && span.end >= line.start) {
            let start = text.floor_char_boundary(span.start.saturating_sub(NEAR)).max(line.start);
            let end = text.ceil_char_boundary((span.end + NEAR).min(line.end)).min(line.end);
            match windows.last_mut() {
                Some(last) if start <= last.end + NEAR => last.end = last.end.max(end),
                _ => windows.push(start..end),
            }
        }
        let mut out = String::new();
        let mut at = line.start;
        for window in windows {
            out.push_str(if window.start > at { "[\u{2026}] " } else { "" });
            at = window.end;
            out.push_str(&self.shown(window));
            out.push_str(if at < line.end { " " } else { "" });
        }
        if at < line.end {
            out.push_str("[\u{2026}]");
        }
        out
    }
}

/// The difference that `splices` make of `old`; `new` is what came of it.
pub(super) fn difference(old: Side<'_>, new: Side<'_>, splices: &[Splice]) -> Vec<Line> {
    let (was, is) = changed(splices);
    let old = Page { side: old, lines: lines(old.text), changed: was };
    let new = Page { side: new, lines: lines(new.text), changed: is };
    let blocks = blocks(&old, &new);
    let mut out = Vec::new();
    let mut at = 0;
    while at < blocks.len() {
        // Blocks whose surroundings touch are shown together.
        let mut last = at;
        while blocks.get(last + 1).is_some_and(|next| next.old.start <= blocks[last].old.end + 2 * AROUND) {
            last += 1;
        }
        hunk(&old, &new, &blocks[at..=last], &mut out);
        at = last + 1;
    }
    out
}

/// Where the splices are in the old text, and what came of them in the new one, in order.
fn changed(splices: &[Splice]) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let mut sorted: Vec<&Splice> = splices.iter().collect();
    sorted.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let (mut came, mut went) = (0, 0);
    let mut is = Vec::new();
    for splice in &sorted {
        let start = splice.at.start + came - went;
        is.push(start..start + splice.text.len());
        came += splice.text.len();
        went += splice.at.len();
    }
    (sorted.into_iter().map(|splice| splice.at.clone()).collect(), is)
}

fn blocks(old: &Page<'_>, new: &Page<'_>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (was, is) in old.changed.iter().zip(&new.changed) {
        let block = Block { old: old.touched(was), new: new.touched(is) };
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

fn hunk(old: &Page<'_>, new: &Page<'_>, blocks: &[Block], out: &mut Vec<Line>) {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return };
    let start = first.old.start.saturating_sub(AROUND);
    let end = (last.old.end + AROUND).min(old.lines.len());
    let new_start = first.new.start.saturating_sub(first.old.start - start);
    let new_end = last.new.end + (end - last.old.end);
    let (old_count, new_count) = (end - start, new_end - new_start);
    out.push(Line::Place(format!("@@ -{},{old_count} +{},{new_count} @@", start + 1, new_start + 1)));
    let kept = |range: Range<usize>, out: &mut Vec<Line>| {
        out.extend(old.range(range).iter().map(|line| Line::Kept(old.head(line))));
    };
    let mut at = start;
    for block in blocks {
        kept(at..block.old.start, out);
        let same = |one: usize, other: usize| {
            let text = |page: &Page<'_>, line: usize| {
                page.lines.get(line).and_then(|span| page.side.text.get(span.clone())).map(str::to_owned)
            };
            text(old, one) == text(new, other)
        };
        // What is equal at both ends was only touched.
        let (mut before, mut after) = (block.old.clone(), block.new.clone());
        while !before.is_empty() && !after.is_empty() && same(before.start, after.start) {
            before.start += 1;
            after.start += 1;
        }
        while !before.is_empty() && !after.is_empty() && same(before.end - 1, after.end - 1) {
            before.end -= 1;
            after.end -= 1;
        }
        kept(block.old.start..before.start, out);
        out.extend(old.range(before.clone()).iter().map(|line| Line::Removed(old.near(line))));
        out.extend(new.range(after).iter().map(|line| Line::Added(new.near(line))));
        kept(before.end..block.old.end, out);
        at = block.old.end;
    }
    kept(at..end, out);
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
        assert!(text.contains(" A=***\n") && !text.contains("secret"), "{text}");
        assert!(text.lines().all(|line| line.len() < 200), "{text}");
        assert!(text.contains("axb") && text.contains("ayb"), "{text}");
    }
}
