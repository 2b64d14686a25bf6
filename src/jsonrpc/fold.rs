//! Member names as the least exact reader sees them: Go's encoding/json matches names without regard to case, over
//! all of Unicode (`ſ` is `s`, the Kelvin sign is `k`).
//!
//! A name becomes a 64-bit number (FNV-1a over its folded characters). Equal numbers are taken for equal names, so an
//! accident can only refuse a message, never let one through.

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The number of a name.
pub(super) fn folded(name: &str) -> u64 {
    if name.is_ascii() {
        ascii(name)
    } else {
        name.chars().fold(BASIS, |hash, c| step_char(hash, fold_char(c)))
    }
}

/// [`folded`] for a name of ASCII letters, as a constant.
pub(super) const fn ascii(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = BASIS;
    let mut at = 0;
    while at < bytes.len() {
        hash = step(hash, bytes[at].to_ascii_lowercase());
        at += 1;
    }
    hash
}

const fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(PRIME)
}

fn step_char(hash: u64, c: char) -> u64 {
    c.encode_utf8(&mut [0; 4]).bytes().fold(hash, step)
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
        for (one, other) in [("id", "ids"), ("id", "di"), ("", "a"), ("\u{df}", "ss")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }
}
