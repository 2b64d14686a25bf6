//! Percent-escapes (RFC 3986, section 2.1).

/// The byte that an escape at `at` stands for.
pub(super) fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    match bytes.get(at) {
        Some(b'%') => u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok(),
        _ => None,
    }
}

/// `%41` as `A`; `None` where a `%` begins no escape, where an escape stands for a byte that it may not stand for, and
/// for what is no text.
pub(super) fn decoded(text: &str, may_stand_for: impl Fn(u8) -> bool) -> Option<String> {
    let source = text.as_bytes();
    let mut bytes = Vec::with_capacity(source.len());
    let mut at = 0;
    while let Some(next) = source.get(at) {
        if *next == b'%' {
            bytes.push(byte(source, at).filter(|byte| may_stand_for(*byte))?);
            at += 3;
        } else {
            bytes.push(*next);
            at += 1;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bytes_and_nothing_is_guessed() {
        let any = |text| decoded(text, |_| true);
        assert_eq!(any("a%20b").as_deref(), Some("a b"));
        assert_eq!(any("%c3%A9%2F").as_deref(), Some("é/"));
        assert_eq!(any("").as_deref(), Some(""));
        for text in ["%", "%4", "a%zz", "%+1", "%ff", "%c3"] {
            assert_eq!(any(text), None, "{text}");
        }
        assert_eq!(decoded("a%2fb/", |byte| byte != b'/'), None);
        assert_eq!(decoded("a%62/", |byte| byte != b'/').as_deref(), Some("ab/"));
    }
}
