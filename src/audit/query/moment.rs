//! Points in time as people write them: `2h`, `3 days`, `2026-11-23`, `2026-11-23T16:20`, RFC 3339.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};

use crate::audit::stamp::LENGTH;

/// A point in time in the form of the log's stamps, so that it compares with them as bytes.
pub type Moment = [u8; LENGTH];

/// Not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time: use a span before now (2h, 3 days), a date, a date and time, or RFC 3339")]
pub struct NotAMoment;

/// What `text` means now, here: spans lie before now; dates and times without a zone are local.
pub fn parse(text: &str) -> Result<Moment, NotAMoment> {
    parse_at(text, &ZonedDateTime::now())
}

fn parse_at(text: &str, now: &ZonedDateTime) -> Result<Moment, NotAMoment> {
    let timestamp = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| local(text, now.time_zone()))
        .or_else(|| Some(now.checked_sub(text.parse::<Span>().ok()?.abs()).ok()?.timestamp()))
        .ok_or(NotAMoment)?;
    format!("{timestamp:.6}").into_bytes().try_into().map_err(|_| NotAMoment)
}

fn local(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_timestamp(text.parse::<DateTime>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_dates_and_timestamps() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now = "2026-11-23T16:20:00.5Z".parse::<Timestamp>().unwrap().to_zoned_datetime(zone);
        for (text, expected) in [
            ("2h", "2026-11-23T14:20:00.500000Z"),
            ("3 days", "2026-11-20T16:20:00.500000Z"),
            ("1d 30m ago", "2026-11-22T15:50:00.500000Z"),
            ("2026-11-23", "2026-11-22T23:00:00.000000Z"),
            ("2026-11-23T10:00", "2026-11-23T09:00:00.000000Z"),
            ("2026-11-23 10:00:01", "2026-11-23T09:00:01.000000Z"),
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.000000Z"),
            ("2026-11-23T10:00:00.1234567+02:00", "2026-11-23T08:00:00.123456Z"),
        ] {
            assert_eq!(parse_at(text, &now).map(|moment| moment.to_vec()), Ok(expected.into()), "{text}");
        }
        for text in ["", "soon", "2h x", "2026-13-01", "-9999-01-01T00:00:00Z"] {
            assert_eq!(parse_at(text, &now), Err(NotAMoment), "{text}");
        }
    }
}
