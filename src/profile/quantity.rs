//! Amounts as a profile writes them: `"1GiB"`, `"10m"`, `"60/min"`.
//!
//! Units are never guessed: `GB` is an error that names `GiB`, and nothing overflows silently.

use std::time::Duration;

use crate::policy::tools::{Period, Rate};

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("`{0}` has no number in front of its unit")]
    Number(String),
    #[error("`{found}` is not a unit here; the units are {units}")]
    Unit { found: String, units: &'static str },
    #[error("`{0}` is more than can be counted")]
    Overflow(String),
    #[error("`{0}` is nothing at all")]
    Zero(String),
    #[error("`{0}` is not a rate; write it as \"60/min\"")]
    Rate(String),
}

/// Bytes: a whole number and one of `B KiB MiB GiB TiB`.
pub(super) fn bytes(text: &str) -> Result<u64, Error> {
    const UNITS: &str = "B, KiB, MiB, GiB, TiB";
    let (number, unit) = split(text)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(Error::Unit { found: unit.to_owned(), units: UNITS }),
    };
    positive(text, number.checked_mul(factor))
}

/// A time: a whole number and one of `ms s m h d`.
pub(super) fn duration(text: &str) -> Result<Duration, Error> {
    const UNITS: &str = "ms, s, m, h, d";
    let (number, unit) = split(text)?;
    let factor: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(Error::Unit { found: unit.to_owned(), units: UNITS }),
    };
    positive(text, number.checked_mul(factor)).map(Duration::from_millis)
}

/// A rate: `N/s`, `N/min` or `N/h`.
pub(super) fn rate(text: &str) -> Result<Rate, Error> {
    let (number, unit) = text.split_once('/').ok_or_else(|| Error::Rate(text.to_owned()))?;
    let count = number.parse::<u32>().map_err(|_| Error::Rate(text.to_owned()))?;
    let per = match unit {
        "s" => Period::Second,
        "min" => Period::Minute,
        "h" => Period::Hour,
        _ => return Err(Error::Unit { found: unit.to_owned(), units: "s, min, h" }),
    };
    if count == 0 { Err(Error::Zero(text.to_owned())) } else { Ok(Rate { count, per }) }
}

fn split(text: &str) -> Result<(u64, &str), Error> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err(Error::Number(text.to_owned()));
    }
    let number = number.parse().map_err(|_| Error::Overflow(text.to_owned()))?;
    Ok((number, unit.trim_start()))
}

fn positive(text: &str, amount: Option<u64>) -> Result<u64, Error> {
    match amount {
        None => Err(Error::Overflow(text.to_owned())),
        Some(0) => Err(Error::Zero(text.to_owned())),
        Some(amount) => Ok(amount),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read() {
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        assert_eq!(bytes("16 MiB"), Ok(16 << 20));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(rate("60/min"), Ok(Rate { count: 60, per: Period::Minute }));
    }

    #[test]
    fn what_could_be_read_two_ways_is_refused() {
        assert!(matches!(bytes("1GB"), Err(Error::Unit { .. })));
        assert!(matches!(bytes("1024"), Err(Error::Unit { .. })));
        assert!(matches!(bytes("GiB"), Err(Error::Number(_))));
        assert!(matches!(bytes("-1GiB"), Err(Error::Number(_))));
        assert!(matches!(bytes("0GiB"), Err(Error::Zero(_))));
        assert!(matches!(bytes("99999999999TiB"), Err(Error::Overflow(_))));
        assert!(matches!(duration("1 month"), Err(Error::Unit { .. })));
        assert!(matches!(rate("60"), Err(Error::Rate(_))));
        assert!(matches!(rate("0/min"), Err(Error::Zero(_))));
        assert!(matches!(rate("3/fortnight"), Err(Error::Unit { .. })));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,24}") {
            let _ = (bytes(&text), duration(&text), rate(&text));
        }
    }
}
