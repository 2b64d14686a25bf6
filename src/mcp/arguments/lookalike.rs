//! Characters that some program takes for `/`, `\`, `.`, `~` or `%` after it has normalised a text.
//!
//! Rests on Unicode's compatibility decompositions (UAX #15) and its list of confusable characters (UTS #39).

/// What `c` may be taken for.
pub(super) fn meant(c: char) -> Option<&'static str> {
    Some(match c {
        // Division slash, fraction slash, full-width, big, mathematical rising diagonal, box drawing, katakana no.
        '\u{2215}' | '\u{2044}' | '\u{ff0f}' | '\u{29f8}' | '\u{27cb}' | '\u{2571}' | '\u{1735}'
        | '\u{2cc6}' | '\u{3033}' | '\u{2f03}' => "/",
        // Full-width, small, set minus, falling diagonals.
        '\u{ff3c}' | '\u{fe68}' | '\u{2216}' | '\u{29f5}' | '\u{29f9}' | '\u{27cd}' | '\u{2572}' => "\\",
        // Full-width and small full stop, one dot leader.
        '\u{ff0e}' | '\u{fe52}' | '\u{2024}' => ".",
        '\u{2025}' | '\u{fe30}' => "..",
        // Full-width tilde, small tilde, tilde operator.
        '\u{ff5e}' | '\u{02dc}' | '\u{223c}' => "~",
        // Full-width and small percent sign, Arabic percent sign.
        '\u{ff05}' | '\u{fe6a}' | '\u{066a}' => "%",
        _ => return None,
    })
}

/// The text with every such character as what it may be taken for; `None` when there is none in it.
pub(super) fn folded(text: &str) -> Option<String> {
    if text.is_ascii() || !text.chars().any(|c| meant(c).is_some()) {
        return None;
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match meant(c) {
            Some(meant) => folded.push_str(meant),
            None => folded.push(c),
        }
    }
    Some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_path_becomes_one() {
        assert_eq!(folded("／ｅtc∕passwd"), Some("/ｅtc/passwd".into()));
        assert_eq!(folded("\u{2025}⁄\u{2024}\u{ff0e}"), Some("../..".into()));
        assert_eq!(folded("naïve café 1/2"), None);
        assert_eq!(folded("/etc"), None);
    }
}
