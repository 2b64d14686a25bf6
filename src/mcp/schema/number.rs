//! Numbers as they are written: compared and divided by their digits, never as doubles.
//!
//! `1.0`, `1` and `10e-1` are one number and an integer; `1e400` is a number like any other; `0.3` is a multiple of
//! `0.1`. What is worked on is the text, so that the work is bounded by its length.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Exponents beyond this are refused: no reader holds such a number, and digits could not be counted with it.
const MAX_EXPONENT: i64 = 1_000_000_000_000;

/// A number: `0.DIGITS × 10^scale`, without zeros at either end. Zero has no digits and no sign.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Decimal<'a> {
    negative: bool,
    digits: Cow<'a, [u8]>,
    scale: i64,
}

impl<'a> Decimal<'a> {
    /// Reads a number that is one to JSON. `None`: its exponent is beyond everything.
    pub(super) fn parse(raw: &'a str) -> Option<Self> {
        let bytes = raw.as_bytes();
        let (negative, bytes) = match bytes.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, bytes),
        };
        let mantissa_end = bytes.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(bytes.len());
        let (mantissa, exponent) = bytes.split_at(mantissa_end);
        let exponent = exponent_of(exponent)?;
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let integer = point.unwrap_or(mantissa.len());
        let digits: Cow<'a, [u8]> = match point {
            None => Cow::Borrowed(mantissa),
            Some(at) if mantissa.get(..at) == Some(b"0") => Cow::Borrowed(mantissa.get(at + 1..)?),
            Some(_) => Cow::Owned(mantissa.iter().copied().filter(|byte| *byte != b'.').collect()),
        };
        // "0.5" lost its leading zero above; every other text has `integer` digits before the point.
        let before = if point.is_some() && mantissa.get(..integer) == Some(b"0") { 0 } else { integer };
        Some(Self::trimmed(negative, digits, exponent.checked_add(i64::try_from(before).ok()?)?))
    }

    fn trimmed(negative: bool, digits: Cow<'a, [u8]>, scale: i64) -> Self {
        let leading = digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len());
        let end = digits.iter().rposition(|byte| *byte != b'0').map_or(leading, |last| last + 1);
        if leading == end {
            return Decimal { negative: false, digits: Cow::Borrowed(&[]), scale: 0 };
        }
        let digits = match digits {
            Cow::Borrowed(digits) => Cow::Borrowed(digits.get(leading..end).unwrap_or_default()),
            Cow::Owned(digits) => Cow::Owned(digits.get(leading..end).unwrap_or_default().to_vec()),
        };
        // At most 4 GiB of digits: far from the end of i64.
        Decimal { negative, digits, scale: scale - leading as i64 }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether nothing stands behind the point.
    pub(super) fn is_integer(&self) -> bool {
        self.is_zero() || self.scale >= self.digits.len() as i64
    }

    /// The number, where it is a whole one that fits.
    pub(super) fn as_u64(&self) -> Option<u64> {
        if self.is_zero() {
            return Some(0);
        }
        if self.negative || !self.is_integer() || self.scale > 20 {
            return None;
        }
        let zeros = usize::try_from(self.scale).ok()?.checked_sub(self.digits.len())?;
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(b'0', zeros));
        digits.into_iter().try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
        })
    }

    /// The one way in which this number is written by us.
    fn canonical(&self) -> String {
        let digits = String::from_utf8_lossy(&self.digits);
        let sign = if self.negative { "-" } else { "" };
        let length = self.digits.len() as i64;
        if self.is_zero() {
            "0".to_owned()
        } else if self.scale >= length && self.scale <= 30 {
            let zeros = usize::try_from(self.scale - length).unwrap_or_default();
            format!("{sign}{digits}{}", "0".repeat(zeros))
        } else if self.scale > 0 && self.scale < length {
            let (whole, rest) = digits.split_at(usize::try_from(self.scale).unwrap_or_default());
            format!("{sign}{whole}.{rest}")
        } else if self.scale <= 0 && self.scale > -10 {
            let zeros = usize::try_from(-self.scale).unwrap_or_default();
            format!("{sign}0.{}{digits}", "0".repeat(zeros))
        } else {
            format!("{sign}{digits}e{}", self.scale - length)
        }
    }

    /// The same with its own digits.
    pub(super) fn into_owned(self) -> Decimal<'static> {
        Decimal { negative: self.negative, digits: Cow::Owned(self.digits.into_owned()), scale: self.scale }
    }
}

/// `e+12`; 0 where there is none.
fn exponent_of(bytes: &[u8]) -> Option<i64> {
    let Some((_, rest)) = bytes.split_first() else { return Some(0) };
    let (sign, digits) = match rest.split_first() {
        Some((b'-', digits)) => (-1, digits),
        Some((b'+', digits)) => (1, digits),
        _ => (1, rest),
    };
    let value = digits.iter().try_fold(0i64, |value, digit| {
        let value = value * 10 + i64::from(digit.wrapping_sub(b'0'));
        (value <= MAX_EXPONENT).then_some(value)
    })?;
    Some(sign * value)
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = || match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.scale.cmp(&other.scale).then_with(|| self.digits.cmp(&other.digits)),
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number in the one spelling that every spelling of it has; as it is where no reader holds it.
pub fn canonical_number(raw: &str) -> String {
    Decimal::parse(raw).map_or_else(|| raw.to_owned(), |number| number.canonical())
}

/// Whether one number is more than another; `None` where one of them is beyond every reader.
pub fn compare_numbers(one: &str, other: &str) -> Option<Ordering> {
    Some(Decimal::parse(one)?.cmp(&Decimal::parse(other)?))
}

/// What a multiple is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Divisor {
    /// Its digits as a whole number; not 0, not divisible by 10.
    digits: u64,
    /// The exponent of ten that it is taken times.
    exponent: i64,
}

impl Divisor {
    /// `None`: not positive, or with more than 18 digits.
    pub(super) fn new(number: &Decimal<'_>) -> Option<Self> {
        if number.is_zero() || number.negative || number.digits.len() > 18 {
            return None;
        }
        let digits =
            number.digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')));
        Some(Divisor { digits, exponent: number.scale - number.digits.len() as i64 })
    }

    /// Whether `number` is a whole number of times this.
    pub(super) fn divides(self, number: &Decimal<'_>) -> bool {
        if number.is_zero() {
            return true;
        }
        let exponent = number.scale - number.digits.len() as i64;
        // The last digit of neither is a zero, so a finer number is never a multiple of a coarser one.
        let Some(shift) = exponent.checked_sub(self.exponent).and_then(|shift| u64::try_from(shift).ok())
        else {
            return false;
        };
        let modulus = u128::from(self.digits);
        let remainder = number
            .digits
            .iter()
            .fold(0u128, |rest, digit| (rest * 10 + u128::from(digit.wrapping_sub(b'0'))) % modulus);
        (remainder * power_of_ten(shift, modulus)).is_multiple_of(modulus)
    }
}

/// `10^exponent` modulo `modulus`, which is below 2^60.
fn power_of_ten(mut exponent: u64, modulus: u128) -> u128 {
    let (mut result, mut base) = (1 % modulus, 10 % modulus);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % modulus;
        }
        base = base * base % modulus;
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(raw: &str) -> Decimal<'_> {
        Decimal::parse(raw).unwrap()
    }

    #[test]
    fn one_number_has_many_spellings() {
        for spellings in [
            &["1", "1.0", "10e-1", "0.1e1", "1E0", "1e+0", "100.000e-2"][..],
            &["0", "-0", "0.0", "0e9", "-0.00e-5", "0.000"],
            &["-12.5", "-125e-1", "-0.00125E+4"],
            &["1e400", "10e399", "0.001e403"],
        ] {
            for one in spellings {
                assert_eq!(number(one), number(spellings[0]), "{one}");
                assert_eq!(number(one).cmp(&number(spellings[0])), Ordering::Equal, "{one}");
            }
        }
    }

    #[test]
    fn order_is_that_of_the_numbers() {
        let ascending = [
            "-1e400",
            "-12",
            "-2",
            "-1.5",
            "-0.1",
            "-1e-400",
            "0",
            "1e-400",
            "0.05",
            "0.1",
            "0.15",
            "1",
            "1.5",
            "2",
            "9.99",
            "10",
            "12",
            "9007199254740992",
            "9007199254740993",
            "1e400",
            "1.1e400",
        ];
        for (n, one) in ascending.iter().enumerate() {
            for (m, other) in ascending.iter().enumerate() {
                assert_eq!(number(one).cmp(&number(other)), n.cmp(&m), "{one} {other}");
            }
        }
    }

    #[test]
    fn integers_are_known_by_their_value() {
        for whole in ["0", "-0", "1.0", "1e2", "1.5e1", "1e400", "-3", "123456789012345678901234567890"] {
            assert!(number(whole).is_integer(), "{whole}");
        }
        for broken in ["0.5", "1e-1", "-1.25", "15e-1", "1e-400"] {
            assert!(!number(broken).is_integer(), "{broken}");
        }
        assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(number("1.8e1").as_u64(), Some(18));
        for none in ["18446744073709551616", "-1", "0.5", "1e400"] {
            assert_eq!(number(none).as_u64(), None, "{none}");
        }
        assert_eq!(Decimal::parse("1e9999999999999999999999"), None);
        assert_eq!(Decimal::parse("1e-9999999999999"), None);
    }

    #[test]
    fn multiples_are_exact() {
        for (number, divisor, expected) in [
            ("0.3", "0.1", true),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("4.5", "1.5", true),
            ("35", "1.5", false),
            ("1e308", "0.123456789", false),
            ("1e400", "3", false),
            ("3e400", "3", true),
            ("12391239123", "1e-8", true),
            ("0", "7", true),
            ("-14", "7", true),
            ("7", "1e2", false),
            ("1e9999999", "0.25", true),
            ("0.1", "1e-400", true),
            ("1e-400", "0.1", false),
        ] {
            let divisor_ = Divisor::new(&self::number(divisor)).unwrap();
            assert_eq!(divisor_.divides(&self::number(number)), expected, "{number} {divisor}");
        }
        for none in ["0", "-1", "1.234567890123456789"] {
            assert_eq!(Divisor::new(&number(none)), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn small_numbers_agree_with_integers(a in -100_000i64..100_000, b in 1i64..500, places in 0u32..4) {
            let spell = |n: i64| {
                let power = 10i64.pow(places);
                format!("{}{}.{:0width$}", if n < 0 { "-" } else { "" }, n.abs() / power, n.abs() % power,
                        width = places.max(1) as usize)
            };
            // With no places one zero is written behind the point.
            let (a_text, b_text) = (spell(a), spell(b));
            let (one, other) = (number(&a_text), number(&b_text));
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
            prop_assert_eq!(Divisor::new(&other).unwrap().divides(&one), a % b == 0);
        }
    }
}
