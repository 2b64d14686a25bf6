//! Classes of bytes that secrets are made of.

/// Bytes that a run is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Letters and digits.
    Alnum,
    /// And `_`.
    Word,
    /// And `-`.
    Dash,
    /// And `.`.
    Dot,
    /// And what base64 has besides: `+ / =`.
    Base64,
    /// `0-9 a-f A-F`.
    Hex,
    /// Capitals and digits.
    Upper,
}

impl Class {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Class::Alnum => byte.is_ascii_alphanumeric(),
            Class::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Class::Dash => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Class::Dot => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Class::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'='),
            Class::Hex => byte.is_ascii_hexdigit(),
            Class::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        }
    }

    /// How many bytes from `at` on are of this class.
    pub(super) fn run(self, text: &[u8], at: usize) -> usize {
        text.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| self.has(**byte)).count())
    }
}
