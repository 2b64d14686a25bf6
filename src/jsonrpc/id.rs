//! Request ids: the bytes as sent, and a key under which the answer is found again.
//!
//! A number is keyed by the double that it denotes: a JavaScript server echoes `1` for `1.0` and `9007199254740992`
//! for `9007199254740993`, a Python server does not. Ids that fall together in one of them therefore fall together
//! here, and using both at once is refused. `1` and `"1"` are different.

use crate::jsonrpc::strings;

/// Longest id in bytes, as sent; what is longer is refused, so that the table of calls in flight stays small.
pub(super) const MAX_ID: usize = 1024;

/// An id that is not `null`.
#[derive(Debug, Clone, PartialEq)]
pub struct Id<'a> {
    raw: &'a str,
    key: IdKey,
}

/// What an id is looked up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IdKey {
    /// The bits of a double; zero has no sign.
    Number(u64),
    /// The text, escapes decoded.
    Text(Box<str>),
}

impl<'a> Id<'a> {
    /// The id whose JSON text is `raw`. `None`: not a string or finite number, or longer than 1024 bytes.
    pub fn parse(raw: &'a str) -> Option<Self> {
        if raw.len() > MAX_ID {
            return None;
        }
        let key = match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(text) => IdKey::Text(strings::unescape(text).into()),
            None if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                let value: f64 = raw.parse().ok().filter(|value: &f64| value.is_finite())?;
                // -0 is echoed as 0.
                IdKey::Number((value + 0.0).to_bits())
            }
            None => return None,
        };
        Some(Id { raw, key })
    }

    /// The bytes as sent.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// What it is looked up by.
    pub fn key(&self) -> &IdKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_peer_may_echo_as_one_are_one() {
        let key = |raw: &'static str| Id::parse(raw).unwrap().key().clone();
        assert_eq!(key("1"), key("1.0"));
        assert_eq!(key("10"), key("1e1"));
        assert_eq!(key("0"), key("-0"));
        assert_eq!(key("9007199254740993"), key("9007199254740992"));
        assert_eq!(key(r#""a""#), key(r#""\u0061""#));
        assert_ne!(key("1"), key(r#""1""#));
        assert_ne!(key("1"), key("2"));
    }

    #[test]
    fn what_is_no_id_is_none() {
        for raw in ["null", "true", "{}", "[]", "1e999", ""] {
            assert_eq!(Id::parse(raw), None, "{raw}");
        }
        assert_eq!(Id::parse(&format!("\"{}\"", "x".repeat(MAX_ID))), None);
    }
}
