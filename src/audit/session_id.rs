//! Names of sessions: 26 characters that sort by the time of the start and are never guessed twice.
//!
//! 48 bits of milliseconds and 80 bits from the kernel's generator (`urandom(4)`), in Crockford's base 32, which has
//! no letters that read like digits. The name is a file's name too, so its alphabet is part of its safety.

use std::fs::File;
use std::io::{self, Read};

use crate::audit::stamp::Stamp;

/// Length of a session's name in bytes.
pub(super) const LENGTH: usize = 26;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new name. Fails only when the kernel's random source cannot be read.
pub fn session_id() -> io::Result<String> {
    let mut random = [0; 10];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(encode(Stamp::now().micros() / 1000, random))
}

/// Whether `name` is one: the right length, and only characters of the alphabet.
pub(super) fn is_session_id(name: &[u8]) -> bool {
    name.len() == LENGTH && name.iter().all(|byte| ALPHABET.contains(byte))
}

/// When a session of this name began, in milliseconds since 1970; `None` for what is no name.
pub(super) fn began(name: &str) -> Option<u64> {
    if !is_session_id(name.as_bytes()) {
        return None;
    }
    // Ten characters hold the time and nothing else; the first of them carries three bits.
    let mut digits = name.bytes().take(10).map(|byte| ALPHABET.iter().position(|letter| *letter == byte));
    digits.try_fold(0u64, |value, digit| Some(value << 5 | digit? as u64)).filter(|millis| *millis < 1 << 48)
}

fn encode(millis: u64, random: [u8; 10]) -> String {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    let value = u128::from_be_bytes(bytes);
    // 26 times 5 bits are 130: the first character carries three.
    (0..LENGTH).rev().map(|at| char::from(ALPHABET[(value >> (5 * at) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_differ_and_are_recognised() {
        let (one, two) = (session_id().unwrap(), session_id().unwrap());
        assert_ne!(one, two);
        assert!(is_session_id(one.as_bytes()));
        assert!(!is_session_id(one.to_lowercase().as_bytes()));
        assert!(!is_session_id(&one.as_bytes()[1..]));
        assert!(!is_session_id(b"../../../../../../../../aa"));
    }

    proptest! {
        #[test]
        fn names_sort_by_time(early in 0..1u64 << 47, more in 1..1u64 << 40, a: [u8; 10], b: [u8; 10]) {
            prop_assert!(encode(early, a) < encode(early + more, b));
            prop_assert_eq!(began(&encode(early, a)), Some(early));
        }
    }
}
