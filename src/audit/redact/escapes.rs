//! Text behind escapes: `%5F`, `\u005f`, `\x5f`, `\n`, `&amp;` are read as what they mean, each with its place.
//!
//! A token that was percent-encoded, or that stands in JSON within a string, is the same secret. What is found in the
//! decoded text is taken out of the text as it stands. Nothing is decoded that is not an escape; every byte keeps the
//! place where it came from.

/// Text without one layer of escapes.
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Where each byte begins in the text before, and where the last one ends.
    places: Vec<usize>,
}

impl Decoded {
    /// The place of a range in the text before.
    pub(super) fn before(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let place = |at: usize| self.places.get(at).or(self.places.last()).copied().unwrap_or_default();
        // The last byte may be longer than one: it ends where the next begins.
        place(range.start)..place(range.end)
    }
}

/// One layer less; `None` when there is no escape.
pub(super) fn decode(text: &[u8]) -> Option<Decoded> {
    memchr::memchr3(b'%', b'\\', b'&', text)?;
    let mut decoded =
        Decoded { bytes: Vec::with_capacity(text.len()), places: Vec::with_capacity(text.len() + 1) };
    let (mut at, mut found) = (0, false);
    while let Some(byte) = text.get(at) {
        let escape = match byte {
            b'%' | b'\\' | b'&' => escape(text.get(at..).unwrap_or_default()),
            _ => None,
        };
        match escape {
            Some((meant, length)) => {
                found = true;
                let mut utf8 = [0; 4];
                for byte in meant.bytes(&mut utf8) {
                    decoded.bytes.push(*byte);
                    decoded.places.push(at);
                }
                at += length;
            }
            None => {
                decoded.bytes.push(*byte);
                decoded.places.push(at);
                at += 1;
            }
        }
    }
    decoded.places.push(text.len());
    found.then_some(decoded)
}

enum Meant {
    Byte(u8),
    Char(char),
}

impl Meant {
    fn bytes<'b>(&self, utf8: &'b mut [u8; 4]) -> &'b [u8] {
        match self {
            Meant::Byte(byte) => {
                utf8[0] = *byte;
                &utf8[..1]
            }
            Meant::Char(char) => char.encode_utf8(utf8).as_bytes(),
        }
    }
}

/// What the escape that `text` begins with means, and its length.
fn escape(text: &[u8]) -> Option<(Meant, usize)> {
    let hex = |from: usize, count: usize| {
        let digits = std::str::from_utf8(text.get(from..from + count)?).ok()?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let byte = |from: usize| u8::try_from(hex(from, 2)?).ok().map(Meant::Byte);
    match (text.first()?, text.get(1)?) {
        (b'%', _) => Some((byte(1)?, 3)),
        (b'\\', b'x') => Some((byte(2)?, 4)),
        (b'\\', b'u') => match (hex(2, 4)?, text.get(6..8), hex(8, 4)) {
            (high @ 0xD800..=0xDBFF, Some(b"\\u"), Some(low @ 0xDC00..=0xDFFF)) => {
                let char = char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))?;
                Some((Meant::Char(char), 12))
            }
            (unit, ..) => Some((Meant::Char(char::from_u32(unit)?), 6)),
        },
        (b'\\', b'n' | b'r') => Some((Meant::Byte(b'\n'), 2)),
        (b'\\', b't') => Some((Meant::Byte(b'\t'), 2)),
        (b'\\', same @ (b'"' | b'\\' | b'/' | b'\'')) => Some((Meant::Byte(*same), 2)),
        (b'&', _) => {
            let entities: [(&[u8], u8); 5] =
                [(b"&amp;", b'&'), (b"&quot;", b'"'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&#39;", b'\'')];
            let (name, meant) = entities.iter().find(|(name, _)| text.starts_with(name))?;
            Some((Meant::Byte(*meant), name.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_mean_what_they_mean() {
        for (text, meant) in [
            ("a%5Fb%5f", "a_b_"),
            (r"\u0067hp\x5f", "ghp_"),
            (r#"{\"a\":\"b\\n\"}"#, r#"{"a":"b\n"}"#),
            (r"\ud83d\ude00", "😀"),
            ("x=1&amp;y", "x=1&y"),
            ("100%\\", "100%\\"),
        ] {
            let decoded = decode(text.as_bytes());
            let bytes = decoded.map_or(text.as_bytes().to_vec(), |decoded| decoded.bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), meant, "{text}");
        }
        assert!(decode(b"100% of \\ & nothing").is_none());
    }

    #[test]
    fn places_lead_back() {
        let decoded = decode(b"a%62cd%65").unwrap();
        assert_eq!(decoded.before(1..2), 1..4);
        assert_eq!(decoded.before(2..4), 4..6);
        assert_eq!(decoded.before(4..5), 6..9);
        assert_eq!(decoded.before(0..5), 0..9);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in r"(%|\\|&|u|x|amp;|[0-9a-f]|\u{e9}|z){0,60}") {
            if let Some(decoded) = decode(text.as_bytes()) {
                prop_assert_eq!(decoded.places.len(), decoded.bytes.len() + 1);
                prop_assert!(decoded.places.is_sorted());
            }
        }
    }
}
