//! What stands in a secret's place: `[redacted:KIND:lenN:DIGEST]`, and `…[cut:lenN:DIGEST]` where a long text ends.
//!
//! The digest is an HMAC-SHA-256 (RFC 2104) under a key that was drawn for this session and is kept nowhere: equal
//! values are equal within a session, and nobody can try out guesses afterwards. Of a secret's length only the class
//! is told: rounded up to the next multiple of 8, beyond 64 to the next power of two.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How a mark begins.
pub(super) const HEAD: &str = "[redacted:";
/// Bytes of a digest that are kept.
const DIGEST: usize = 8;

/// Makes marks under one session's key.
#[derive(Clone)]
pub(super) struct Marker(Hmac<Sha256>);

impl Marker {
    /// With a key from the kernel's generator (`urandom(4)`).
    pub(super) fn new() -> io::Result<Self> {
        let mut key = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        Hmac::new_from_slice(&key).map(Marker).map_err(io::Error::other)
    }

    /// Appends the mark for `secret`.
    pub(super) fn redacted(&self, out: &mut String, kind: &str, secret: &[u8]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{HEAD}{kind}:len{}:", class(secret.len()));
        self.digest(out, secret);
        out.push(']');
    }

    /// Appends the mark for the end of a text of which `whole` is all.
    pub(super) fn cut(&self, out: &mut String, whole: &[u8]) {
        let _ = write!(out, "…[cut:len{}:", whole.len());
        self.digest(out, whole);
        out.push(']');
    }

    fn digest(&self, out: &mut String, bytes: &[u8]) {
        let mut mac = self.0.clone();
        mac.update(bytes);
        for byte in mac.finalize().into_bytes().iter().take(DIGEST) {
            let _ = write!(out, "{byte:02x}");
        }
    }
}

/// The class of a length.
fn class(length: usize) -> usize {
    if length <= 64 {
        length.div_ceil(8).max(1) * 8
    } else {
        length.checked_next_power_of_two().unwrap_or(length)
    }
}

/// The length of the mark that `text` begins with; 0 when it begins with none. Marks are left as they are.
pub(super) fn mark_at(text: &[u8]) -> usize {
    let Some(rest) = text.strip_prefix(HEAD.as_bytes()) else { return 0 };
    let run = |rest: &[u8], is: fn(&u8) -> bool| rest.iter().take(80).take_while(|byte| is(byte)).count();
    let kind = run(rest, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let Some(rest) = rest.get(kind..).and_then(|rest| rest.strip_prefix(b":len")) else { return 0 };
    let length = run(rest, u8::is_ascii_digit);
    let Some(rest) = rest.get(length..).and_then(|rest| rest.strip_prefix(b":")) else { return 0 };
    let digest = run(rest, |byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    if kind > 0 && length > 0 && length < 20 && digest == DIGEST * 2 && rest.get(digest) == Some(&b']') {
        HEAD.len() + kind + 4 + length + 1 + digest + 1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(marker: &Marker, secret: &str) -> String {
        let mut out = String::new();
        marker.redacted(&mut out, "kind-1", secret.as_bytes());
        out
    }

    #[test]
    fn equal_values_are_equal_within_a_session_only() {
        let (one, other) = (Marker::new().unwrap(), Marker::new().unwrap());
        assert_eq!(mark(&one, "a secret"), mark(&one, "a secret"));
        assert_ne!(mark(&one, "a secret"), mark(&one, "a secreu"));
        assert_ne!(mark(&one, "a secret"), mark(&other, "a secret"));
    }

    #[test]
    fn a_mark_is_known_for_one() {
        let mark = mark(&Marker::new().unwrap(), "x");
        assert!(mark.starts_with("[redacted:kind-1:len8:"), "{mark}");
        assert_eq!(mark_at(format!("{mark}]]").as_bytes()), mark.len());
        for not in ["", "[redacted:", "[redacted:a:len8:0123]", "[redacted:a b:len8:0123456789abcdef]"] {
            assert_eq!(mark_at(not.as_bytes()), 0, "{not}");
        }
    }

    #[test]
    fn lengths_are_told_by_class() {
        assert_eq!([0, 1, 8, 9, 40, 64, 65, 129, 4096].map(class), [8, 8, 8, 16, 40, 64, 128, 256, 4096]);
    }
}
