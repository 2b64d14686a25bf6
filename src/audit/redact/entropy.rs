//! The second gate: whether a value looks random. Asked only beside a name that hints at a secret.
//!
//! A random string changes between capitals, small letters and digits every other byte; words, names and paths do
//! not. What has a form of its own that is no secret (digests, UUIDs, paths, addresses) is not random.

/// Shorter values are not judged.
const SHORTEST: usize = 16;
/// The most bytes that are looked at.
const LOOKED_AT: usize = 256;

/// Whether this looks like a generated secret.
pub(super) fn is_random(value: &[u8]) -> bool {
    let value = value.get(..LOOKED_AT).unwrap_or(value);
    if value.len() < SHORTEST || is_hex_or_uuid(value) || is_place(value) {
        return false;
    }
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let changes = value.windows(2).filter(|pair| is_change(pair[0], pair[1])).count();
    digits > 0 && letters > 0 && changes * 4 >= value.len() && bits(value) >= 3.0
}

/// Between two kinds of letters and digits; what separates words counts for nothing.
fn is_change(before: u8, after: u8) -> bool {
    kind(before) != kind(after) && before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric()
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

fn is_hex_or_uuid(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// A path, an address, a date: parts with a separator that generators do not use, or use rarely.
fn is_place(value: &[u8]) -> bool {
    let slashes = value.iter().filter(|byte| **byte == b'/').count();
    matches!(value.first(), Some(b'/' | b'.' | b'~'))
        || value.windows(3).any(|three| three == b"://")
        || slashes * 12 > value.len()
        || value.iter().any(|byte| matches!(byte, b' ' | b'\\' | b'@' | b'(' | b'<' | b'['))
}

/// Bits of information in each byte, by how often each occurs (Shannon).
fn bits(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let all = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / all)
        .map(|p| -p * p.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_generated_looks_it() {
        for random in
            ["zX9kQ2vT7wLp4RnB", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY5Q", "a1B2-c3D4_e5F6g7H8", "9f8Jk2LmQ0pZ3xVb"]
        {
            assert!(is_random(random.as_bytes()), "{random}");
        }
    }

    #[test]
    fn what_has_a_form_of_its_own_does_not() {
        for plain in [
            "short1A",
            "123e4567-e89b-12d3-a456-426614174000",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "/home/me/Projects/Notes2024/a1B2c3D4",
            "https://example.org/A1b2C3d4E5f6",
            "configuration2024name",
            "the_quick_brown_fox_jumps_over_13_dogs",
            "user:profile:settings:page:42",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
            "2026-11-23T16:20:00.123456Z",
        ] {
            assert!(!is_random(plain.as_bytes()), "{plain}");
        }
    }
}
