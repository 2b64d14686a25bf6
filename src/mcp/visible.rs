//! Hostile text made visible: what would move a cursor, hide or reorder characters is spelled out.
//!
//! Rests on UAX #9 (bidirectional text) and the Default_Ignorable_Code_Point property, as far as it hides text.

use std::fmt::Write as _;

/// Whether a character shows as something else than itself, or not at all.
pub(super) fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// At most `max` characters of `text`, each deceptive one as `\u{…}`; `…` where something was cut.
pub fn visible(text: &str, max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(max) + 8);
    for (n, c) in text.chars().enumerate() {
        if n == max {
            shown.push('…');
            break;
        }
        if is_deceptive(c) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_deceives_is_spelled_out() {
        assert_eq!(visible("a\x1b[2J\u{202e}b\u{200b}\né", 99), "a\\u{1b}[2J\\u{202e}b\\u{200b}\\u{a}é");
        assert_eq!(visible("abcdef", 3), "abc…");
        assert_eq!(visible("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn nothing_shown_deceives(text in any::<String>(), max in 0usize..40) {
            prop_assert!(!visible(&text, max).chars().any(is_deceptive));
        }
    }
}
