//! Splices: the only way in which a text is changed.

use std::ops::Range;

/// Bytes that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// What goes.
    pub at: Range<usize>,
    /// What comes.
    pub text: String,
}

impl Splice {
    pub(super) fn new(at: Range<usize>, text: impl Into<String>) -> Self {
        Splice { at, text: text.into() }
    }

    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Splice::new(at..at, text)
    }
}

/// The text with all of them; `None` when two overlap, or one is not within the text.
pub(super) fn apply(text: &str, splices: &[Splice]) -> Option<String> {
    let mut sorted: Vec<&Splice> = splices.iter().collect();
    sorted.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let mut out = String::with_capacity(text.len() + 256);
    let mut at = 0;
    for splice in sorted {
        out.push_str(text.get(at..splice.at.start)?);
        out.push_str(&splice.text);
        text.get(splice.at.clone())?;
        at = splice.at.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_made_or_none() {
        let text = "abcdef";
        let two = [Splice::insert(6, "!"), Splice::new(1..3, "X")];
        assert_eq!(apply(text, &two).as_deref(), Some("aXdef!"));
        assert_eq!(apply(text, &[Splice::new(0..3, ""), Splice::new(2..4, "")]), None);
        assert_eq!(apply(text, &[Splice::new(5..9, "")]), None);
    }
}
