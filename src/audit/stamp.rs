//! Points in time as the log writes them: `2026-11-23T16:20:00.123456Z`, always UTC, always six digits (RFC 3339).
//!
//! The shape is fixed, so that two stamps compare as their bytes do. It is formatted here and not by a calendar
//! library because two lines of every call wait for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Length of a stamp in bytes.
pub const LENGTH: usize = 27;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

impl Stamp {
    /// Now, by the system's clock; a clock before 1970 counts as 1970.
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// The stamp of a time; what lies before 1970 counts as 1970, what lies after 9999 as the end of 9999.
    pub fn of(time: SystemTime) -> Self {
        /// 9999-12-31T23:59:59.999999Z: beyond it the shape would change.
        const LAST: u128 = 253_402_300_799_999_999;
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        // Not above LAST, which fits.
        Stamp(since.as_micros().min(LAST) as u64)
    }

    /// The stamp of a number of milliseconds since 1970.
    pub fn of_millis(millis: u64) -> Self {
        Self::of(UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> u64 {
        self.0
    }

    /// As it stands in a line.
    pub fn text(self) -> [u8; LENGTH] {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], second / 3600);
        digits(&mut text[14..16], second / 60 % 60);
        digits(&mut text[17..19], second % 60);
        digits(&mut text[20..26], micros);
        text
    }

    /// `YYYY-MM-DD`, the name of the day's folder.
    pub fn day(self) -> String {
        self.text()[..10].iter().copied().map(char::from).collect()
    }
}

/// Nanoseconds since 1970 of a stamp; `None` for what is none.
pub fn nanos(text: &str) -> Option<u64> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_nanosecond()).ok()
}

/// Whether `text` has the shape of a stamp (not whether the day exists).
pub fn is_shaped(text: &[u8]) -> bool {
    shaped_like(text, b"0000-00-00T00:00:00.000000Z")
}

/// Whether `name` has the shape of a day's folder.
pub fn is_day(name: &[u8]) -> bool {
    shaped_like(name, b"0000-00-00")
}

fn shaped_like(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text
            .iter()
            .zip(shape)
            .all(|(byte, like)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like })
}

/// Year, month and day of a number of days since 1970 (the days_from_civil algorithm of H. Hinnant, inverted).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn digits(out: &mut [u8], mut value: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(micros: u64) -> Stamp {
        Stamp::of(UNIX_EPOCH + Duration::from_micros(micros))
    }

    #[test]
    fn known_points() {
        assert_eq!(&stamp(0).text(), b"1970-01-01T00:00:00.000000Z");
        assert_eq!(&stamp(951_782_400_000_001).text(), b"2000-02-29T00:00:00.000001Z");
        assert_eq!(stamp(1_795_478_400_123_456).day(), "2026-11-24");
        assert_eq!(&stamp(u64::MAX).text(), b"9999-12-31T23:59:59.999999Z");
        assert_eq!(Stamp::of(UNIX_EPOCH - Duration::from_secs(1)).micros(), 0);
    }

    #[test]
    fn shapes_are_strict() {
        assert!(is_shaped(&stamp(1).text()));
        assert!(!is_shaped(b"2026-11-23T16:20:00Z"));
        assert!(is_day(b"2026-11-23"));
        assert!(!is_day(b"2026-11-2x"));
    }

    proptest! {
        #[test]
        fn agrees_with_a_calendar_library(micros in 0..253_402_300_799_999_999i64) {
            let expected = jiff::Timestamp::from_microsecond(micros).unwrap();
            prop_assert_eq!(
                String::from_utf8(stamp(micros as u64).text().to_vec()).unwrap(),
                format!("{expected:.6}")
            );
        }
    }
}
