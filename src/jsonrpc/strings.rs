//! JSON strings: where one ends, whether its escapes are sound, what it says.
//!
//! The fast path looks at eight bytes, then at blocks of 32 (which the compiler turns into vector instructions), so
//! that long plain text costs little more than reading it and text full of escapes does not fall off a cliff.

use std::borrow::Cow;

use crate::jsonrpc::fault::Fault;

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES * 0x80;

/// Bytes that end the plain run of a string: the quote, the backslash, control characters.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of each byte that is special. Exact up to the lowest hit, which is all that is asked of it: a borrow
/// runs only upwards, from a byte that is a hit itself.
fn specials(word: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & HIGHS
}

/// Index of the first special byte at or after `at`, or the length of `bytes`.
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    let word = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    if let Some(first) = word(at) {
        let hits = specials(u64::from_le_bytes(*first));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        if block.iter().fold(false, |hit, byte| hit | is_special(*byte)) {
            break;
        }
        at += 32;
    }
    while let Some(next) = word(at) {
        let hits = specials(u64::from_le_bytes(*next));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !is_special(*byte)) {
        at += 1;
    }
    at
}

/// Checks the escape whose backslash is at `at`; returns the index after it.
pub(super) fn escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match unit(bytes, at + 2)? {
            0xDC00..=0xDFFF => Err(Fault::LoneSurrogate),
            0xD800..=0xDBFF => match bytes.get(at + 6..at + 8) {
                Some(b"\\u") if matches!(unit(bytes, at + 8)?, 0xDC00..=0xDFFF) => Ok(at + 12),
                _ => Err(Fault::LoneSurrogate),
            },
            _ => Ok(at + 6),
        },
        Some(_) => Err(Fault::BadEscape),
        None => Err(Fault::UnexpectedEnd),
    }
}

/// The four hexadecimal digits at `at`.
fn unit(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Fault::UnexpectedEnd)?;
    digits.iter().try_fold(0, |unit, digit| match char::from(*digit).to_digit(16) {
        Some(value) => Ok(unit * 16 + value),
        None => Err(Fault::BadEscape),
    })
}

/// What the inside of a string (without its quotes) says. Borrows when there is no escape in it.
///
/// `raw` must have passed [`escape`] at every backslash; what has not is kept as it stands.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut said = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut next = Some(first);
    while let Some((plain, escaped)) = next.and_then(|at| rest.split_at_checked(at)) {
        said.push_str(plain);
        let (decoded, length) = decode(escaped);
        match decoded {
            Some(decoded) => said.push(decoded),
            None => said.push_str(escaped.get(..length).unwrap_or(escaped)),
        }
        rest = escaped.get(length..).unwrap_or_default();
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    said.push_str(rest);
    Cow::Owned(said)
}

/// The character of the escape at the head of `escaped`, and the escape's length in bytes.
fn decode(escaped: &str) -> (Option<char>, usize) {
    let bytes = escaped.as_bytes();
    let short = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(same @ (b'"' | b'\\' | b'/')) => char::from(*same),
        Some(b'u') => {
            return match (unit(bytes, 2), unit(bytes, 8)) {
                (Ok(high @ 0xD800..=0xDBFF), Ok(low @ 0xDC00..=0xDFFF)) => {
                    (char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), 12)
                }
                (Ok(unit), _) => (char::from_u32(unit), 6),
                (Err(_), _) => (None, 2),
            };
        }
        _ => return (None, 1),
    };
    (Some(short), 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_path_finds_what_a_plain_search_finds(
            bytes in proptest::collection::vec(prop_oneof![9 => 0x20u8..=0xff, 1 => any::<u8>()], 0..200),
            at in 0usize..60,
        ) {
            let at = at.min(bytes.len());
            let plain = bytes[at..].iter().position(|byte| is_special(*byte)).map_or(bytes.len(), |hit| at + hit);
            prop_assert_eq!(plain_end(&bytes, at), plain);
        }

        #[test]
        fn unescape_inverts_escaping(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescape(&quoted[1..quoted.len() - 1]), text.as_str());
            let ascii: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            prop_assert_eq!(unescape(&ascii), text);
        }
    }

    #[test]
    fn escapes_are_sound_or_named() {
        for good in ["\\n", "\\/", "\\u0041", "\\ud83d\\ude00"] {
            assert_eq!(escape(good.as_bytes(), 0), Ok(good.len()), "{good}");
        }
        for (bad, fault) in [
            ("\\x", Fault::BadEscape),
            ("\\u00g0", Fault::BadEscape),
            ("\\u00", Fault::UnexpectedEnd),
            ("\\", Fault::UnexpectedEnd),
            ("\\ud83d", Fault::LoneSurrogate),
            ("\\ud83dabcdef", Fault::LoneSurrogate),
            ("\\ud83d\\u0041", Fault::LoneSurrogate),
            ("\\ude00", Fault::LoneSurrogate),
        ] {
            assert_eq!(escape(bad.as_bytes(), 0), Err(fault), "{bad}");
        }
    }
}
