//! How often tools may be called: one token bucket for the whole server, one for each tool with a rate of its own.
//!
//! A bucket holds as many calls as its rate has per period, so that they may all come at once, and fills evenly. It is kept
//! as the time at which it will be full again (the generic cell rate algorithm of ATM, ITU-T I.371): no counter drifts,
//! and the time is the caller's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::mcp::refusal::Refusal;
use crate::policy::grant::{Origin, Stated};
use crate::policy::reason::Reason;
use crate::policy::tools::{Rate, Tools};
use crate::policy::verdict::Remedy;

/// One bucket.
#[derive(Debug)]
struct Bucket {
    /// `tools.calls` or `tools.rule.NAME.calls`.
    key: String,
    rate: Rate,
    origin: Origin,
    /// When it is full again; `None` while it was never used.
    full: Option<Instant>,
}

impl Bucket {
    fn new(key: String, stated: &Stated<Option<Rate>>) -> Option<Self> {
        Some(Bucket { key, rate: stated.value?, origin: stated.origin.clone(), full: None })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(self.rate.per.seconds().into())
    }

    /// The time in which one call comes back.
    fn interval(&self) -> Duration {
        self.period() / self.rate.count
    }

    /// How long until the next call fits; zero when one does.
    fn wait(&self, now: Instant) -> Duration {
        let Some(full) = self.full else { return Duration::ZERO };
        // With one call taken it must still be full within a period.
        (full.saturating_duration_since(now) + self.interval()).saturating_sub(self.period())
    }

    fn take(&mut self, now: Instant) {
        let interval = self.interval();
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + interval);
    }

    fn refuse(&self, now: Instant) -> Option<Refusal> {
        let wait = self.wait(now);
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        (!wait.is_zero()).then(|| {
            Refusal::new(
                Reason::RateExceeded,
                format!(
                    "{} = \"{}\" ({}); the next call fits in {seconds} s",
                    self.key, self.rate, self.origin
                ),
                Remedy::Line(format!("{} = \"{}\"", self.key, doubled(self.rate))),
            )
        })
    }
}

fn doubled(rate: Rate) -> Rate {
    Rate { count: rate.count.saturating_mul(2), ..rate }
}

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Rates {
    all: Option<Bucket>,
    tools: BTreeMap<String, Bucket>,
}

impl Rates {
    pub(super) fn new(tools: &Tools) -> Self {
        let all = tools.all.calls.as_ref().and_then(|calls| Bucket::new("tools.calls".into(), calls));
        let bucket = |(name, calls): (&String, &Stated<Option<Rate>>)| {
            let key = format!("tools.rule.{}.calls", super::arguments::key(name));
            Some((name.clone(), Bucket::new(key, calls)?))
        };
        let own = tools.rule.iter().filter_map(|(name, rule)| Some((name, rule.caps.calls.as_ref()?)));
        Rates { all, tools: own.filter_map(bucket).collect() }
    }

    /// Why a call of `tool` does not fit now, if it does not.
    pub(super) fn refuse(&self, tool: &str, now: Instant) -> Option<Refusal> {
        let own = self.tools.get(tool);
        own.into_iter().chain(&self.all).find_map(|bucket| bucket.refuse(now))
    }

    /// A call of `tool` is made.
    pub(super) fn take(&mut self, tool: &str, now: Instant) {
        for bucket in self.tools.get_mut(tool).into_iter().chain(&mut self.all) {
            bucket.take(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tools::{Caps, Period, ToolRule};

    fn stated(count: u32, per: Period) -> Option<Stated<Option<Rate>>> {
        let origin = Origin { file: "p.toml".into(), line: 3, column: 9 };
        Some(Stated { value: Some(Rate { count, per }), origin })
    }

    fn rates(all: u32, own: u32) -> Rates {
        let rule = ToolRule {
            caps: Caps { calls: stated(own, Period::Minute), ..Caps::default() },
            ..ToolRule::default()
        };
        Rates::new(&Tools {
            all: Caps { calls: stated(all, Period::Minute), ..Caps::default() },
            rule: BTreeMap::from([("a".to_owned(), rule)]),
            ..Tools::default()
        })
    }

    fn taken(rates: &mut Rates, tool: &str, now: Instant) -> usize {
        (0..1000)
            .take_while(|_| rates.refuse(tool, now).is_none().then(|| rates.take(tool, now)).is_some())
            .count()
    }

    #[test]
    fn a_burst_is_the_count_and_comes_back_evenly() {
        let start = Instant::now();
        let mut rates = rates(60, 6);
        assert_eq!(taken(&mut rates, "a", start), 6);
        assert_eq!(taken(&mut rates, "a", start + Duration::from_millis(9_999)), 0);
        assert_eq!(taken(&mut rates, "a", start + Duration::from_secs(10)), 1);
        assert_eq!(taken(&mut rates, "a", start + Duration::from_secs(40)), 3);
        assert_eq!(taken(&mut rates, "a", start + Duration::from_secs(4000)), 6);
    }

    #[test]
    fn the_server_s_bucket_counts_every_tool() {
        let start = Instant::now();
        let mut rates = rates(10, 6);
        assert_eq!(taken(&mut rates, "a", start), 6);
        assert_eq!(taken(&mut rates, "b", start), 4);
        let refusal = rates.refuse("b", start).unwrap();
        assert_eq!(refusal.denial.reason, Reason::RateExceeded);
        assert_eq!(refusal.detail, "tools.calls = \"10/min\" (p.toml:3:9); the next call fits in 6 s");
        assert_eq!(refusal.denial.remedy.line(), Some("tools.calls = \"20/min\""));
    }

    #[test]
    fn a_clock_that_stands_still_or_is_behind_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(100);
        let mut rates = rates(60, 2);
        assert_eq!(taken(&mut rates, "a", start), 2);
        assert_eq!(taken(&mut rates, "a", start - Duration::from_secs(50)), 0);
    }
}
