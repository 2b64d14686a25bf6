//! The first level of a value that was already scanned: for records of its shape.

use std::borrow::Cow;

use crate::jsonrpc::message::Raw;
use crate::jsonrpc::scan::{Names, Scanner};

/// Calls `each` with the name and the text of every member of an object. What is no object has none.
pub fn members<'a>(object: Raw<'a>, mut each: impl FnMut(Cow<'a, str>, Raw<'a>)) {
    let mut scanner = Scanner::new(object.0, u32::MAX);
    if scanner.peek() == Some(b'{') {
        // It was scanned before, so it cannot fail; if it did, the record would show fewer members.
        let _scanned = scanner.object(|scanner, key| {
            each(key.name, Raw(scanner.value(Names::Any)?));
            Ok(())
        });
    }
}

/// `whole` with another text for each of these pieces of it, which follow each other; all other bytes as they were.
pub fn replaced(whole: &str, pieces: &[(Raw<'_>, String)]) -> String {
    let (mut text, mut at) = (String::with_capacity(whole.len()), 0);
    for (piece, instead) in pieces {
        // A piece is a slice of the whole.
        let start = piece.0.as_ptr().addr() - whole.as_ptr().addr();
        text.push_str(whole.get(at..start).unwrap_or_default());
        text.push_str(instead);
        at = start + piece.0.len();
    }
    text.push_str(whole.get(at..).unwrap_or_default());
    text
}

/// How long a value is: characters of a string, elements of an array, members of an object; `None` for the rest.
pub fn length(value: Raw<'_>) -> Option<usize> {
    let mut count = 0;
    match value.0.as_bytes().first()? {
        b'"' => return value.string().map(|text| text.chars().count()),
        b'{' => members(value, |_, _| count += 1),
        b'[' => {
            let mut scanner = Scanner::new(value.0, u32::MAX);
            let _scanned = scanner.array(|scanner| {
                count += 1;
                scanner.value(Names::Any).map(drop)
            });
        }
        _ => return None,
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_level_is_listed() {
        let mut seen = Vec::new();
        members(Raw(r#"{"a":[1,{"b":2}],"\u0062":"x"}"#), |name, value| {
            seen.push((name.into_owned(), value.0))
        });
        assert_eq!(seen, [("a".to_owned(), r#"[1,{"b":2}]"#), ("b".to_owned(), r#""x""#)]);
        members(Raw("[1]"), |_, _| panic!("an array has no members"));
    }

    #[test]
    fn lengths_count_what_a_reader_sees() {
        for (value, expected) in [
            (r#""\u00e9\n""#, Some(2)),
            ("[]", Some(0)),
            ("[1,[2,3]]", Some(2)),
            (r#"{"a":1,"b":{}}"#, Some(2)),
            ("12", None),
            ("null", None),
        ] {
            assert_eq!(length(Raw(value)), expected, "{value}");
        }
    }
}
