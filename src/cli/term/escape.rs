//! Hostile text made visible.
//!
//! What a terminal would obey (C0, C1, DEL), what changes the order of what is read (bidirectional controls), and what
//! cannot be seen at all (zero-width and tag characters, variation selectors, blanks that are not a space) is shown by
//! its number, as `\x1b` or `\u{202e}`. The list follows Unicode 16's Default_Ignorable_Code_Point, Bidi_Control and
//! White_Space.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with everything that could deceive shown by its number. One line stays one line.
pub fn escape(text: &str) -> Cow<'_, str> {
    let Some((first, _)) = text.char_indices().find(|(_, character)| is_deceptive(*character)) else {
        return Cow::Borrowed(text);
    };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for character in text[first..].chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if !is_deceptive(character) => shown.push(character),
            // Writing to a String cannot fail.
            _ if character.is_ascii() => drop(write!(shown, "\\x{:02x}", u32::from(character))),
            _ => drop(write!(shown, "\\u{{{:x}}}", u32::from(character))),
        }
    }
    Cow::Owned(shown)
}

fn is_deceptive(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control() || character.is_whitespace() || is_bidi(character) || is_invisible(character)
}

fn is_bidi(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Columns that `text` takes on a terminal: East Asian wide characters and emoji take two, combining ones none. An
/// estimate: it decides where lines are folded, nothing else.
pub fn columns(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(width).sum()
}

pub(super) fn width(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}' => 0,
        '\u{64b}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' => 0,
        '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115e}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' => 2,
        '\u{fe30}'..='\u{fe6f}' | '\u{ff01}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' => 2,
        '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_deceives_is_shown() {
        for (text, shown) in [
            ("/home/me/notes", "/home/me/notes"),
            ("caf\u{e9} \u{65e5}\u{672c}", "caf\u{e9} \u{65e5}\u{672c}"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\nb\r\tc\0\x7f", "a\\nb\\r\\tc\\x00\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gnp\u{202e}exe", "gnp\\u{202e}exe"),
            ("a\u{200b}b\u{feff}\u{2066}", "a\\u{200b}b\\u{feff}\\u{2066}"),
            ("\u{e0041}\u{e0020}", "\\u{e0041}\\u{e0020}"),
            ("a\u{a0}b\u{2028}c\u{3000}", "a\\u{a0}b\\u{2028}c\\u{3000}"),
            ("x\u{fe0f}\u{e0100}", "x\\u{fe0f}\\u{e0100}"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }

    #[test]
    fn wide_and_combining_characters_are_counted() {
        assert_eq!((columns("abc"), columns("\u{65e5}\u{672c}"), columns("e\u{301}")), (3, 4, 1));
    }

    proptest! {
        #[test]
        fn nothing_deceptive_is_left(text: String) {
            let shown = escape(&text);
            prop_assert!(!shown.chars().any(is_deceptive));
            prop_assert_eq!(escape(&shown), shown.clone());
        }
    }
}
