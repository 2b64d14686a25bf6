//! The links of the chain: SHA-256 (FIPS 180-4) over a line's bytes without its newline, in lower-case hex.
//!
//! The chain is not keyed: it shows careless and partial changes, not a rewrite of everything by someone with the
//! user's own rights. For that a digest has to be kept elsewhere (`verify --expect`).

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Length of a digest in hex.
pub const HEX: usize = 64;

/// The digest of one line.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What the first line of every chain names as the line before it: the digest of the empty string.
    pub const EMPTY: Digest = Digest([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// The digest of `line`, which has no newline.
    pub fn of(line: &[u8]) -> Self {
        Digest(Sha256::digest(line).into())
    }

    /// Lower-case hex, as it stands in a line.
    pub fn hex(&self) -> [u8; HEX] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; HEX];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0x0f)];
        }
        hex
    }

    /// The digest that 64 lower-case hex digits stand for. Upper case is not what the writer writes: `None`.
    pub fn parse(hex: &[u8]) -> Option<Self> {
        let hex: &[u8; HEX] = hex.try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Digest(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_link_is_the_digest_of_nothing() {
        assert_eq!(Digest::of(b""), Digest::EMPTY);
    }

    #[test]
    fn hex_goes_there_and_back_and_is_strict() {
        let digest = Digest::of(b"abc");
        let hex = digest.hex();
        assert_eq!(&hex[..], b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().as_bytes(), hex);
        assert_eq!(Digest::parse(&hex), Some(digest));
        assert_eq!(Digest::parse(&hex.to_ascii_uppercase()), None);
        assert_eq!(Digest::parse(&hex[1..]), None);
    }
}
