//! Member names as the least exact reader sees them: Go's encoding/json matches names without regard to case, over
//! all of Unicode (`ſ` is `s`, the Kelvin sign is `k`).
//!
//! A name becomes a 64-bit number (a multiplicative hash of its folded bytes). Equal numbers are taken for equal names,
//! so an accident can only refuse a message, never let one through.

/// Odd, with its bits well spread (the golden ratio).
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of a name: equal for all that the least exact reader takes for one.
#[inline]
pub fn folded(name: &str) -> u64 {
    if name.is_ascii() { ascii(name) } else { ascii(&name.chars().map(fold_char).collect::<String>()) }
}

/// [`folded`] for a name of ASCII letters, also as a constant.
#[inline]
pub(super) const fn ascii(name: &str) -> u64 {
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    let mut at = 0;
    while at < rest.len() {
        last[at] = rest[at];
        at += 1;
    }
    let mut hash = step(name.len() as u64, last);
    let mut at = 0;
    while at < words.len() {
        hash = step(hash, words[at]);
        at += 1;
    }
    hash
}

#[inline]
const fn step(hash: u64, word: [u8; 8]) -> u64 {
    let mixed = (hash ^ lower(u64::from_le_bytes(word))).wrapping_mul(FACTOR);
    mixed ^ (mixed >> 32)
}

/// Eight bytes with `A`–`Z` made `a`–`z`, and everything else as it was.
#[inline]
const fn lower(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let seven = word & (ONES * 0x7f);
    let from_a = seven.wrapping_add(ONES * (0x80 - b'A' as u64));
    let beyond_z = seven.wrapping_add(ONES * (0x7f - b'Z' as u64));
    word | (((from_a ^ beyond_z) & !word & (ONES * 0x80)) >> 2)
}

/// One character for all that differ only in case: up, then down, where each way is one character to one.
/// Coarser than Unicode's simple folding in a few places (dotless i), which only refuses more.
fn fold_char(c: char) -> char {
    let upper = single(c.to_uppercase()).unwrap_or(c);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// The only item, if there is just one.
fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    mapped.next().filter(|_| mapped.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_as_go_does() {
        for (one, other) in [
            ("params", "PARAMS"),
            ("params", "param\u{17f}"),
            ("kind", "\u{212a}ind"),
            ("\u{e5}", "\u{212b}"),
            ("\u{3c3}", "\u{3c2}"),
            ("\u{430}", "\u{410}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_eq!(ascii("jsonrpc"), folded("JSONRPC"));
        for byte in 0..=255u8 {
            let word = [byte; 8];
            assert_eq!(
                lower(u64::from_le_bytes(word)),
                u64::from_le_bytes(word.map(|b| b.to_ascii_lowercase()))
            );
        }
        for (one, other) in [("id", "ids"), ("id", "di"), ("", "a"), ("\u{df}", "ss")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }
}
