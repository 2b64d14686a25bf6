//! How many notifications and requests of the server's go on to the client: a flood is dropped, told once, and counted.
//!
//! Progress has room of its own, and much of it: each message takes the place of the one before. A flood is over when the
//! room is all there again; then, or at the end of the session, the log says how many were dropped.

use std::time::{Duration, Instant};

use crate::relay::meter::Meter;

/// Bytes of a notification that is no result.
pub(super) const LONGEST: u64 = 256 * 1024;

/// What becomes of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It goes on; so many were dropped in a flood that is over.
    On(u64),
    /// It is the first that is dropped.
    First,
    /// It is dropped.
    Over,
}

/// One kind.
#[derive(Debug)]
struct Stream {
    meter: Meter,
    lost: u64,
}

impl Stream {
    fn new(burst: u32, each: Duration, now: Instant) -> Self {
        Stream { meter: Meter::with(burst, each, now), lost: 0 }
    }

    fn admit(&mut self, now: Instant) -> Flow {
        if self.meter.admit(now).is_some() {
            let over = self.meter.is_rested();
            return Flow::On(if over { std::mem::take(&mut self.lost) } else { 0 });
        }
        self.lost += 1;
        if self.lost == 1 { Flow::First } else { Flow::Over }
    }
}

/// All kinds.
#[derive(Debug)]
pub(super) struct Notifications {
    progress: Stream,
    others: Stream,
    requests: Stream,
}

impl Notifications {
    pub(super) fn new(now: Instant) -> Self {
        Notifications {
            progress: Stream::new(100_000, Duration::from_micros(100), now),
            others: Stream::new(2_000, Duration::from_millis(5), now),
            requests: Stream::new(200, Duration::from_millis(50), now),
        }
    }

    /// A notification with this method.
    pub(super) fn notification(&mut self, method: &str, now: Instant) -> Flow {
        match method {
            // To take something back is never refused.
            "notifications/cancelled" => Flow::On(0),
            "notifications/progress" => self.progress.admit(now),
            _ => self.others.admit(now),
        }
    }

    /// A request.
    pub(super) fn request(&mut self, now: Instant) -> Flow {
        self.requests.admit(now)
    }

    /// How many were dropped and not told of yet.
    pub(super) fn take_lost(&mut self) -> u64 {
        [&mut self.progress, &mut self.others, &mut self.requests]
            .into_iter()
            .map(|stream| std::mem::take(&mut stream.lost))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_once_and_counted_when_it_is_over() {
        let start = Instant::now();
        let mut flow = Notifications::new(start);
        let mut message = |now| flow.notification("notifications/message", now);
        assert_eq!((0..2_000).filter(|_| message(start) == Flow::On(0)).count(), 2_000);
        assert_eq!(message(start), Flow::First);
        assert_eq!((0..500).filter(|_| message(start) == Flow::Over).count(), 500);
        // While it goes on, some get through, and nothing more is told.
        let later = start + Duration::from_millis(10);
        assert_eq!([message(later), message(later), message(later)], [Flow::On(0), Flow::On(0), Flow::Over]);
        assert_eq!(message(start + Duration::from_secs(60)), Flow::On(502));
        assert_eq!(flow.notification("notifications/progress", start), Flow::On(0));
        assert_eq!(flow.take_lost(), 0);
    }
}
