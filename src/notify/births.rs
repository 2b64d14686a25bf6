//! Which calls were in flight when a process was started: what it does later may be their work.
//!
//! Every fork asks the broker, which writes down when, by whom, and during which calls; the child's number is not known
//! then. When a process is first seen, its start (`starttime`, `proc_pid_stat(5)`, in ticks of a hundredth of a second)
//! and its parent tell which of those forks it was; a fork whose child was found is nobody else's. Where several fit, it
//! may be the work of all of them: never of fewer calls than it is.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::notify::Broker;
use crate::sys::tree;

/// Forks that are remembered.
const REMEMBERED: usize = 4096;
/// Processes whose birth is known.
const KNOWN: usize = 16_384;
/// The grain of `starttime`.
const TICK: Duration = Duration::from_millis(10);
/// A parent's last fork before a child's start was that child's, unless it is older than this: then the child may have been
/// adopted since.
const OLD: Duration = Duration::from_secs(1);
/// How long before its start a fork of an adopted process may have asked.
const DELAY: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Fork {
    at: Duration,
    parent: u32,
    calls: Vec<u64>,
    /// Its child was found.
    found: bool,
}

/// Forks, and the processes that came of them.
#[derive(Debug, Default)]
pub(super) struct Births {
    forks: VecDeque<Fork>,
    /// When the first fork of all asked.
    first: Option<Duration>,
    forgotten: bool,
    /// When each process that was seen began.
    known: HashMap<u32, Duration>,
}

/// What is known of a birth: the calls, or that nobody knows.
#[derive(Debug, PartialEq, Eq)]
enum Born {
    During(Vec<u64>),
    Unknown,
}

impl Births {
    fn forked(&mut self, at: Duration, parent: u32, calls: Vec<u64>) {
        if self.forks.len() >= REMEMBERED {
            self.forks.pop_front();
            self.forgotten = true;
        }
        self.first.get_or_insert(at);
        self.forks.push_back(Fork { at, parent, calls, found: false });
    }

    /// Whether this process was not seen before.
    fn is_new(&mut self, pid: u32, started: Duration) -> bool {
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert(pid, started) != Some(started)
    }

    /// Finds the fork of a process that was not seen before.
    fn of(&mut self, parent: u32, started: Duration) -> Born {
        let born = self.candidates(parent, started);
        let end = started + TICK;
        let may_be = |fork: &&mut Fork| {
            fork.parent == parent && !fork.found && fork.at < end && fork.at + OLD >= started
        };
        if let Born::During(calls) = &born {
            // Where candidates differ, none is crossed out. Where they do not, it does not matter which of them it was.
            let near = |fork: &&mut Fork| fork.at + TICK >= started;
            let differs = self.forks.iter_mut().filter(may_be).filter(near).any(|fork| fork.calls != *calls);
            let same = self.forks.iter_mut().filter(may_be).rfind(|fork| fork.calls == *calls);
            if let Some(fork) = same.filter(|_| !differs) {
                fork.found = true;
            }
        }
        born
    }

    fn candidates(&self, parent: u32, started: Duration) -> Born {
        let end = started + TICK;
        let left = |fork: &&Fork| fork.parent == parent && !fork.found && fork.at < end;
        let own = || self.forks.iter().filter(left);
        let last = own().rfind(|fork| fork.at < started);
        let mut during: BTreeSet<u64> = own().filter(|fork| fork.at >= started).flat_map(calls).collect();
        let in_tick = own().any(|fork| fork.at >= started);
        let near = last.filter(|fork| !in_tick || fork.at + TICK >= started);
        during.extend(near.into_iter().flat_map(calls));
        let certain = in_tick || near.is_some_and(|fork| fork.at + OLD >= started);
        if certain {
            return Born::During(during.into_iter().collect());
        }
        // Adopted by somebody else since: any fork of that time may have been it.
        let around = || self.forks.iter().filter(|fork| fork.at + DELAY >= started && fork.at < end);
        during.extend(around().flat_map(calls));
        let before_all = self.first.is_none_or(|first| end <= first);
        if around().next().is_some() || near.is_some() || before_all || !self.forgotten {
            Born::During(during.into_iter().collect())
        } else {
            Born::Unknown
        }
    }
}

fn calls(fork: &Fork) -> impl Iterator<Item = u64> {
    fork.calls.iter().copied()
}

impl Broker {
    /// A process of the tree asks for another one.
    pub(super) fn note_fork(&mut self, parent: u32) {
        let calls = self.emitter.calls().lineage(parent);
        self.births.forked(tree::since_boot(), parent, calls);
    }

    /// A process was seen.
    pub(super) fn note_process(&mut self, pid: u32, exe: &str) {
        let Some(standing) = tree::standing(pid) else { return };
        self.watch_end(pid, standing.ppid, exe);
        if !self.births.is_new(pid, standing.started) {
            return;
        }
        match self.births.of(standing.ppid, standing.started) {
            Born::During(calls) => self.emitter.calls().born(pid, Some(calls)),
            Born::Unknown => self.emitter.calls().born(pid, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(at: u64) -> Duration {
        Duration::from_millis(at)
    }

    fn births(forks: &[(u64, u32, &[u64])]) -> Births {
        let mut births = Births::default();
        for (at, parent, calls) in forks {
            births.forked(ms(*at), *parent, calls.to_vec());
        }
        births
    }

    fn during(calls: &[u64]) -> Born {
        Born::During(calls.to_vec())
    }

    #[test]
    fn a_child_is_of_its_parents_last_fork() {
        let mut births = births(&[(1_003, 7, &[1]), (1_500, 7, &[2]), (1_501, 8, &[3])]);
        assert_eq!(births.candidates(7, ms(1_000)), during(&[1]), "its own tick");
        assert_eq!(births.of(7, ms(1_040)), during(&[1]), "a slow fork");
        assert_eq!(births.of(7, ms(1_500)), during(&[2]));
        assert_eq!(births.of(8, ms(1_500)), during(&[3]));
    }

    #[test]
    fn forks_that_cannot_be_told_apart_count_all() {
        let mut births = births(&[(1_009, 7, &[1]), (1_012, 7, &[2])]);
        assert_eq!(births.of(7, ms(1_010)), during(&[1, 2]));
    }

    #[test]
    fn a_fork_whose_child_was_found_is_nobody_elses() {
        let mut births = births(&[(1_001, 7, &[1])]);
        assert_eq!(births.of(7, ms(1_000)), during(&[1]));
        births.forked(ms(1_004), 7, vec![2]);
        births.forked(ms(1_005), 7, vec![1, 2]);
        assert_eq!(births.of(7, ms(1_000)), during(&[1, 2]));
        assert_eq!(births.of(7, ms(1_000)), during(&[1, 2]), "nobody knows which of the two was found");
    }

    #[test]
    fn an_adopted_process_is_of_any_fork_of_its_time() {
        let mut births = births(&[(1_000, 7, &[1]), (1_001, 9, &[]), (5_000, 7, &[2])]);
        assert_eq!(births.of(1, ms(1_000)), during(&[1]));
        assert_eq!(births.of(1, ms(3_000)), during(&[]));
    }

    #[test]
    fn what_is_forgotten_is_not_claimed() {
        let mut births = births(&[(1_000, 7, &[1])]);
        for at in 0..REMEMBERED as u64 {
            births.forked(ms(10_000 + at), 7, vec![2]);
        }
        assert_eq!(births.of(1, ms(1_000)), Born::Unknown);
        assert_eq!(births.of(1, ms(500)), during(&[]), "before any fork");
    }
}
