//! How many connections to one host in a time: a bucket for each, full at the start.

use std::collections::HashMap;
use std::time::Instant;

use crate::policy::tools::Rate;

/// Hosts remembered; a bucket that is full again says nothing.
const MOST: usize = 4_096;

/// The buckets of one session.
#[derive(Debug)]
pub(super) struct Rates {
    rate: Option<Rate>,
    buckets: HashMap<String, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    seen: Instant,
}

impl Rates {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Rates { rate, buckets: HashMap::new() }
    }

    /// Takes one connection; `false`: there is none left.
    pub(super) fn take(&mut self, host: &str, now: Instant) -> bool {
        let Some(rate) = self.rate else { return true };
        let (full, speed) = (f64::from(rate.count), f64::from(rate.count) / f64::from(rate.per.seconds()));
        let refill =
            |bucket: &Bucket| (bucket.left + now.duration_since(bucket.seen).as_secs_f64() * speed).min(full);
        if self.buckets.len() >= MOST && !self.buckets.contains_key(host) {
            self.buckets.retain(|_, bucket| refill(bucket) < full);
            if self.buckets.len() >= MOST {
                return false;
            }
        }
        let bucket = self.buckets.entry(host.to_owned()).or_insert(Bucket { left: full, seen: now });
        bucket.left = refill(bucket);
        bucket.seen = now;
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::tools::Period;

    #[test]
    fn a_host_has_its_own_bucket_that_fills_again() {
        let now = Instant::now();
        let mut rates = Rates::new(Some(Rate { count: 2, per: Period::Minute }));
        assert!(rates.take("a", now) && rates.take("a", now) && !rates.take("a", now));
        assert!(rates.take("b", now));
        assert!(!rates.take("a", now + Duration::from_secs(20)));
        assert!(rates.take("a", now + Duration::from_secs(60)));
        let mut none = Rates::new(None);
        assert!((0..10_000).all(|_| none.take("a", now)));
    }
}
