//! Repeats folded into counts, floods cut and counted.
//!
//! Between two events that are written at once, equal accesses (same process, thing, kind and verdict) become one
//! line with a `count`. The first of a run of equal denials is written before it takes effect; its repeats wait
//! like allowed accesses do, at most 100 ms. More distinct lines in a second than [`LINES_PER_SECOND`] are dropped
//! and counted by reason: the log never looks more complete than it is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::event::{AuditLost, Event};
use crate::policy::verdict::Ruling;

/// Distinct lines of one session in a second, calls and lifecycle aside.
const LINES_PER_SECOND: u32 = 20_000;
/// Folded lines that wait at a time.
const WAITING: usize = 4_096;
/// How long a repeat may wait.
pub(super) const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// What makes two events equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    pid: u32,
    kind: (u8, u8, Option<&'static str>),
    what: String,
}

/// What to do with an event now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It waits; nothing is to be written yet.
    Wait,
    /// Write what [`Journal::drain`] gives, then the event.
    Write,
    /// Dropped at the cap, and counted.
    Dropped,
}

/// Events that wait.
#[derive(Debug)]
pub(super) struct Journal {
    waiting: Vec<Event>,
    index: HashMap<Key, usize>,
    recent_denials: HashMap<Key, Instant>,
    since: Option<Instant>,
    second: Instant,
    lines: u32,
    lost: u64,
}

impl Journal {
    pub(super) fn new(now: Instant) -> Self {
        Journal {
            waiting: Vec::new(),
            index: HashMap::new(),
            recent_denials: HashMap::new(),
            since: None,
            second: now,
            lines: 0,
            lost: 0,
        }
    }

    /// Takes one event in.
    pub(super) fn take(&mut self, event: &Event, now: Instant) -> Step {
        let Some((key, denied)) = key(event) else { return Step::Write };
        if let Some(at) = self.index.get(&key) {
            if let Some(waiting) = self.waiting.get_mut(*at) {
                add_one(waiting);
            }
            return Step::Wait;
        }
        if !self.admit(now) {
            return Step::Dropped;
        }
        if denied {
            match self.recent_denials.get(&key) {
                Some(seen) if now.duration_since(*seen) < LONGEST_WAIT => {}
                _ => {
                    if self.recent_denials.len() >= WAITING {
                        self.recent_denials.clear();
                    }
                    self.recent_denials.insert(key, now);
                    return Step::Write;
                }
            }
        }
        if self.waiting.len() >= WAITING {
            return Step::Write;
        }
        self.index.insert(key, self.waiting.len());
        self.waiting.push(event.clone());
        self.since.get_or_insert(now);
        Step::Wait
    }

    /// Everything that waits, in order, and a line on what was lost.
    pub(super) fn drain(&mut self) -> Vec<Event> {
        self.index.clear();
        self.since = None;
        let mut events = std::mem::take(&mut self.waiting);
        if self.lost > 0 {
            let reason = format!("more than {LINES_PER_SECOND} distinct lines in a second");
            events.push(Event::AuditLost(AuditLost { reason, count: std::mem::take(&mut self.lost) }));
        }
        events
    }

    /// Since when something waits.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.since
    }

    fn admit(&mut self, now: Instant) -> bool {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.lines = 0;
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines > LINES_PER_SECOND {
            self.lost += 1;
            self.since.get_or_insert(now);
            return false;
        }
        true
    }
}

/// Events that fold, and whether they are denials; `None` for those that stand alone.
fn key(event: &Event) -> Option<(Key, bool)> {
    let folded = |pid, kind, what: String, verdict| Some((Key { pid, kind, what }, verdict == Ruling::Deny));
    match event {
        Event::FileAccess(it) => {
            let kind = (0, it.access as u8, it.reason.map(|reason| reason.code()).or(Some(it.result)));
            folded(it.pid, kind, it.path.clone(), it.verdict)
        }
        Event::SyscallDenied(it) => {
            // Another errno is another answer: TIOCSTI and an unknown command are not repeats of each other.
            let what = format!("{} {}", it.nr, it.errno);
            folded(it.pid, (1, 0, Some(it.reason.code())), what, Ruling::Deny)
        }
        // An allowed connection stands alone: it has an end of its own.
        Event::NetworkConnect(it) if it.verdict == Ruling::Deny => {
            let what = format!("{} {} {}", it.address, it.port, it.sni.as_deref().unwrap_or_default());
            folded(it.pid, (2, 0, it.reason.map(|reason| reason.code())), what, it.verdict)
        }
        Event::NetworkResolve(it) if it.verdict == Ruling::Deny => folded(
            it.pid,
            (4, 0, it.reason.map(|reason| reason.code())),
            format!("{} {}", it.host, it.query),
            it.verdict,
        ),
        // Before it takes effect, also when it is allowed.
        Event::SocketUnix(it) => folded(it.pid, (3, 0, Some(it.result)), it.path.clone(), Ruling::Deny),
        _ => None,
    }
}

fn add_one(event: &mut Event) {
    match event {
        Event::FileAccess(it) => it.count += 1,
        Event::SyscallDenied(it) => it.count += 1,
        Event::NetworkConnect(it) => it.count += 1,
        Event::NetworkResolve(it) => it.count += 1,
        Event::SocketUnix(it) => it.count += 1,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Evidence, FileAccess, FileAccessKind};
    use crate::policy::calls::Attribution;

    fn access(path: &str, verdict: Ruling) -> Event {
        Event::FileAccess(Box::new(FileAccess {
            path: path.into(),
            asked: None,
            access: FileAccessKind::Read,
            verdict,
            reason: None,
            layer: None,
            remedy: None,
            why_not: None,
            result: "ok",
            pid: 1,
            exe: "/bin/x".into(),
            calls: vec![],
            attribution: Attribution::None,
            evidence: Evidence::Predicted,
            would: None,
            count: 1,
        }))
    }

    fn counts(events: &[Event]) -> Vec<u64> {
        events
            .iter()
            .map(|event| match event {
                Event::FileAccess(it) => it.count,
                Event::AuditLost(it) => it.count,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn repeats_become_a_count() {
        let now = Instant::now();
        let mut journal = Journal::new(now);
        for _ in 0..3 {
            assert_eq!(journal.take(&access("/a", Ruling::Allow), now), Step::Wait);
        }
        assert_eq!(journal.take(&access("/b", Ruling::Allow), now), Step::Wait);
        assert_eq!(counts(&journal.drain()), [3, 1]);
        assert!(journal.waiting_since().is_none());
    }

    #[test]
    fn the_first_denial_is_written_its_repeats_are_counted() {
        let now = Instant::now();
        let mut journal = Journal::new(now);
        assert_eq!(journal.take(&access("/a", Ruling::Deny), now), Step::Write);
        assert_eq!(journal.take(&access("/a", Ruling::Deny), now), Step::Wait);
        assert_eq!(journal.take(&access("/a", Ruling::Deny), now), Step::Wait);
        assert_eq!(counts(&journal.drain()), [2]);
        let later = now + LONGEST_WAIT;
        assert_eq!(journal.take(&access("/a", Ruling::Deny), later), Step::Write);
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let now = Instant::now();
        let mut journal = Journal::new(now);
        let mut dropped = 0;
        let mut written = 0;
        for at in 0..LINES_PER_SECOND + 500 {
            match journal.take(&access(&format!("/{at}"), Ruling::Allow), now) {
                Step::Dropped => dropped += 1,
                Step::Wait => {}
                Step::Write => written += counts(&journal.drain()).len() + 1,
            }
        }
        assert_eq!(dropped, 500);
        let rest = counts(&journal.drain());
        assert_eq!(rest.last(), Some(&500));
        assert_eq!(written + rest.len() - 1, LINES_PER_SECOND as usize);
        let later = now + Duration::from_secs(1);
        assert_eq!(journal.take(&access("/x", Ruling::Allow), later), Step::Wait);
    }
}
