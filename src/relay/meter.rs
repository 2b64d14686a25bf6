//! How many of something are dealt with one by one: a flood is counted instead. By default the server's bad lines, as
//! many as are written down.

use std::time::{Duration, Instant};

/// Lines that may come at once.
const BURST: u32 = 500;
/// Time for which one more is written down.
const EACH: Duration = Duration::from_millis(50);

/// A token bucket, and the count of what did not fit.
#[derive(Debug)]
pub(super) struct Meter {
    burst: u32,
    each: Duration,
    tokens: u32,
    /// Up to when tokens were given.
    given: Instant,
    lost: u64,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Meter::with(BURST, EACH, now)
    }

    /// So many may come at once, and one more each time that this has passed.
    pub(super) fn with(burst: u32, each: Duration, now: Instant) -> Self {
        Meter { burst, each, tokens: burst, given: now, lost: 0 }
    }

    /// Whether nothing has come for so long that all may come at once again, after the last one.
    pub(super) fn is_rested(&self) -> bool {
        self.tokens + 1 >= self.burst
    }

    /// Whether a line is written down; then also how many were not since the last that was.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        let due = now.saturating_duration_since(self.given).as_micros() / self.each.as_micros().max(1);
        let due = u32::try_from(due).unwrap_or(u32::MAX).min(self.burst);
        if due > 0 {
            self.tokens = (self.tokens + due).min(self.burst);
            self.given = if self.tokens == self.burst { now } else { self.given + self.each * due };
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Some(std::mem::take(&mut self.lost))
            }
            None => {
                self.lost += 1;
                None
            }
        }
    }

    /// How many were not written down since the last that was.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let admitted = (0..10_000).filter(|_| meter.admit(start).is_some()).count();
        assert_eq!(admitted, BURST as usize);
        assert_eq!(meter.admit(start + EACH), Some(10_000 - u64::from(BURST)));
        assert_eq!(meter.admit(start + EACH), None);
        assert_eq!(meter.take_lost(), 1);
        let rested = start + EACH * 10 * BURST;
        assert_eq!((0..1000).filter(|_| meter.admit(rested).is_some()).count(), BURST as usize);
    }
}
