//! JSON strings: where one ends, whether its escapes are sound, what it says.
//!
//! Short strings are found in one comparison, long ones in blocks, with the escapes checked in the same blocks: text
//! full of escapes costs little more than plain text.

use std::borrow::Cow;

use crate::jsonrpc::block::{self, Block};
use crate::jsonrpc::fault::{Fault, ScanError};

/// Where a string ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Index of the closing quote.
    pub(super) quote: usize,
    /// Whether there is an escape in it.
    pub(super) escapes: bool,
}

/// Finds the end of the string whose first byte (after the quote) is at `start`, and checks what is in it.
#[inline]
pub(super) fn end(bytes: &[u8], start: usize) -> Result<End, ScanError> {
    // Names and most values end within two words.
    let mut at = start;
    while let Some(word) = word(bytes, at).filter(|_| at < start + 16) {
        let plain = block::first_special(*word);
        at += plain;
        if plain < 8 {
            if bytes.get(at) == Some(&b'"') {
                return Ok(End { quote: at, escapes: false });
            }
            break;
        }
    }
    Cursor { at, pair: usize::MAX, escapes: false }.end(bytes)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<&[u8; 8]> {
    bytes.get(at..).and_then(|rest| rest.first_chunk())
}

/// A place in a string, never between a backslash and what it escapes.
#[derive(Debug)]
struct Cursor {
    at: usize,
    /// Where the `u` of a low surrogate may stand, because a high one came just before.
    pair: usize,
    escapes: bool,
}

impl Cursor {
    fn end(mut self, bytes: &[u8]) -> Result<End, ScanError> {
        while let Some(block) = bytes.get(self.at..).and_then(|rest| rest.first_chunk()) {
            if block::is_plain(block) {
                self.at += block.len();
                continue;
            }
            let quote = if block::is_dense(block) {
                self.dense(bytes, block)?
            } else {
                self.walk(bytes, self.at + block.len())?
            };
            if let Some(quote) = quote {
                return Ok(End { quote, escapes: self.escapes });
            }
        }
        match self.walk(bytes, usize::MAX)? {
            Some(quote) => Ok(End { quote, escapes: self.escapes }),
            None => Err(ScanError { offset: bytes.len(), fault: Fault::UnexpectedEnd }),
        }
    }

    /// Goes on, escape by escape, to `until` or to the quote that ends the string.
    fn walk(&mut self, bytes: &[u8], until: usize) -> Result<Option<usize>, ScanError> {
        while self.at < until {
            if let Some(word) = word(bytes, self.at) {
                let plain = block::first_special(*word);
                self.at += plain;
                if plain == 8 {
                    continue;
                }
            }
            let step = match bytes.get(self.at) {
                Some(b'"') => return Ok(Some(self.at)),
                Some(b'\\') => self.escape(bytes),
                Some(byte) if *byte < 0x20 => Err(Fault::ControlCharacter(*byte)),
                Some(_) => Ok(1),
                None => return Ok(None),
            };
            self.at += step.map_err(|fault| ScanError { offset: self.at, fault })?;
        }
        Ok(None)
    }

    /// Checks the escape here; returns its length.
    fn escape(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        self.escapes = true;
        match bytes.get(self.at + 1) {
            Some(b'u') => {
                self.pair = unit(bytes, self.at + 1, self.pair)?;
                Ok(6)
            }
            Some(byte) if block::is_short_escape(*byte) => Ok(2),
            Some(_) => Err(Fault::BadEscape),
            None => Err(Fault::UnexpectedEnd),
        }
    }

    /// Passes over a block with many escapes, all at once.
    fn dense(&mut self, bytes: &[u8], block: &Block) -> Result<Option<usize>, ScanError> {
        let (escaped, cut) = block::escaped(block::backslashes(block));
        let letters = block::unit_letters(block);
        let quotes = block::quotes(block) & !escaped;
        // Everything before the first quote that ends the string.
        let within = quotes.wrapping_sub(1) & !quotes;
        let sound = block::short_escapes(block) | letters;
        if (block::controls(block) | (escaped & !sound)) & within != 0 {
            // Again, for the place and the name of what is wrong.
            return self.walk(bytes, usize::MAX);
        }
        let mut units = escaped & letters & within;
        while units != 0 {
            let letter = self.at + units.trailing_zeros() as usize;
            self.pair =
                unit(bytes, letter, self.pair).map_err(|fault| ScanError { offset: letter - 1, fault })?;
            units &= units - 1;
        }
        self.escapes |= escaped & within != 0;
        if quotes != 0 {
            return Ok(Some(self.at + quotes.trailing_zeros() as usize));
        }
        // A backslash at the end is looked at again, together with what it escapes.
        self.at += block.len() - usize::from(cut);
        Ok(None)
    }
}

/// Checks the `\u` escape whose `u` is at `letter`. `pair` is where a low surrogate's `u` may stand, because a high one
/// came just before; returns that place for the next escape.
fn unit(bytes: &[u8], letter: usize, pair: usize) -> Result<usize, Fault> {
    match hex(bytes, letter + 1)? {
        0xDC00..=0xDFFF if letter != pair => Err(Fault::LoneSurrogate),
        0xD800..=0xDBFF => match bytes.get(letter + 5..letter + 7) {
            Some(b"\\u") if matches!(hex(bytes, letter + 7)?, 0xDC00..=0xDFFF) => Ok(letter + 6),
            _ => Err(Fault::LoneSurrogate),
        },
        _ => Ok(usize::MAX),
    }
}

/// The four hexadecimal digits at `at`.
#[inline]
fn hex(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Fault::UnexpectedEnd)?;
    let value = digits.iter().fold(0, |value, digit| (value << 4) | DIGITS[usize::from(*digit)]);
    // What is no digit sets a bit that stays above the sixteen of the value.
    if value > 0xffff { Err(Fault::BadEscape) } else { Ok(value) }
}

/// The value of each hexadecimal digit; for every other byte more than four of them could say.
const DIGITS: [u32; 256] = {
    let mut digits = [1 << 16; 256];
    let mut byte = 0;
    while byte < 256 {
        if let Some(value) = (byte as u8 as char).to_digit(16) {
            digits[byte] = value;
        }
        byte += 1;
    }
    digits
};

/// What the inside of a string (without its quotes) says. Borrows when there is no escape in it.
///
/// `raw` must have passed [`end`]; what has not is kept as it stands.
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
            return match (hex(bytes, 2), hex(bytes, 8)) {
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

    /// As long as it needs to be to reach every path: in the first comparison, in a block, across two, at the end.
    fn placed(inside: &str, before: usize, after: usize) -> String {
        format!("{}{inside}{}\"", "x".repeat(before), "y".repeat(after))
    }

    /// The same without words and blocks.
    fn bytewise(bytes: &[u8]) -> Result<End, ScanError> {
        let mut cursor = Cursor { at: 0, pair: usize::MAX, escapes: false };
        loop {
            let fault = |fault| ScanError { offset: cursor.at, fault };
            match bytes.get(cursor.at) {
                Some(b'"') => return Ok(End { quote: cursor.at, escapes: cursor.escapes }),
                Some(b'\\') => match cursor.escape(bytes) {
                    Ok(length) => cursor.at += length,
                    Err(bad) => return Err(ScanError { offset: cursor.at, fault: bad }),
                },
                Some(byte) if *byte < 0x20 => return Err(fault(Fault::ControlCharacter(*byte))),
                Some(_) => cursor.at += 1,
                // The last quote was escaped.
                None => return Err(fault(Fault::UnexpectedEnd)),
            }
        }
    }

    proptest! {
        #[test]
        fn blocks_say_what_bytes_say(
            inside in r#"(\\|"|\\"|\\\\|\\n|\\u00e9|\\ud83d|\\ude00|\\uD83D\\uDE00|\\u12|\\x|\x{1}|\x{1f}| |x|\u{e9}|[a-z]{9}){0,40}"#,
            before in 0usize..70,
            after in 0usize..70,
        ) {
            let line = placed(&inside, before, after);
            prop_assert_eq!(end(line.as_bytes(), 0), bytewise(line.as_bytes()));
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
        for (before, after) in [(0, 0), (20, 100), (61, 3), (63, 200)] {
            for good in ["", "\\n", "\\/", "\\u0041", "\\ud83d\\ude00", "\\\\"] {
                let line = placed(good, before, after);
                let expected = End { quote: line.len() - 1, escapes: !good.is_empty() };
                assert_eq!(end(line.as_bytes(), 0), Ok(expected), "{line}");
            }
            for (bad, fault) in [
                ("\\x", Fault::BadEscape),
                ("\\u00g0", Fault::BadEscape),
                ("\\ud83dabcdef", Fault::LoneSurrogate),
                ("\\ud83d\\u0041", Fault::LoneSurrogate),
                ("\\ude00", Fault::LoneSurrogate),
                ("\u{1}", Fault::ControlCharacter(1)),
                ("\\\n", Fault::BadEscape),
            ] {
                let line = placed(bad, before, after);
                assert_eq!(end(line.as_bytes(), 0), Err(ScanError { offset: before, fault }), "{line}");
            }
        }
        for cut in ["", "a", "\\", "\\u00", "\\ud83d\\u"] {
            let fault = end(cut.as_bytes(), 0).unwrap_err().fault;
            assert!(matches!(fault, Fault::UnexpectedEnd), "{cut}: {fault}");
        }
    }
}
