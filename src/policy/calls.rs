//! The calls in flight, and what can be said of an access that happened meanwhile.
//!
//! `sole` claims no more than it says: one call was in flight in the whole session at that moment, and the process was
//! not started during another one. Shared by the
//! relay (which begins and ends calls) and the broker (which attributes accesses), so it is one small lock.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;

/// How sure the link between an access and a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attribution {
    /// Exactly one call was in flight, and the process was not started during an earlier one.
    Sole,
    /// Several come into question: it is one of these, or none.
    Overlap,
    /// No call was in flight.
    None,
}

/// What one call touched so far: distinct paths, counted denials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Distinct files read.
    pub files_read: u64,
    /// Distinct files written, created, removed or renamed.
    pub files_written: u64,
    /// Hosts that were connected to, or that bytes went to or came from, each with its bytes; in the order in which
    /// they came up.
    pub hosts: Vec<HostBytes>,
    /// Bytes sent to hosts while it was in flight, whenever the connection was made.
    pub bytes_up: u64,
    /// Bytes received from hosts while it was in flight.
    pub bytes_down: u64,
    /// Programs executed.
    pub processes: u64,
    /// Refusals, of any layer.
    pub denied: u64,
}

/// One host in the summary of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostBytes {
    /// Its name, or its address.
    pub host: String,
    /// Bytes that went to it.
    pub bytes_up: u64,
    /// Bytes that came from it.
    pub bytes_down: u64,
}

/// Hosts that are told apart in one call; the rest is one entry.
const MOST_HOSTS: usize = 256;
/// The entry of the rest.
const OTHERS: &str = "(others)";

/// What is certainly the work of one call, as far as a server's own word about its tools can be held against it: each of
/// these was done while that call alone was in flight, by a process that no earlier call started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deeds {
    /// The first path outside the server's own folders that was written, created, removed, renamed or changed.
    pub wrote: Option<String>,
    /// One of those that wrote was started during the call: nobody else can have been it.
    pub wrote_by_own: bool,
    /// The first host, other than this machine, that was connected to or that bytes went to or came from.
    pub reached: Option<String>,
}

/// What an access adds to the summaries of the calls in flight.
#[derive(Debug, Clone, Copy)]
pub enum Touch<'a> {
    /// A file was read.
    Read(&'a str),
    /// A file was written, created, removed, renamed, by this process.
    Write(&'a str, u32),
    /// A program was executed.
    Process,
    /// A host was connected to, or bytes moved.
    Host {
        /// Its name, or its address.
        host: &'a str,
        /// Bytes that went out.
        up: u64,
        /// Bytes that came in.
        down: u64,
        /// Whose connection it is; `None` for one that does not leave this machine.
        by: Option<u32>,
    },
    /// Something was refused.
    Denied,
}

/// Distinct paths remembered per call; beyond it the count goes on without telling repeats apart.
const DISTINCT_CAP: usize = 65_536;

#[derive(Debug, Default)]
struct Flight {
    call: u64,
    read: BTreeSet<u64>,
    written: BTreeSet<u64>,
    summary: Summary,
    deeds: Deeds,
}

/// The calls in flight of one session.
#[derive(Default)]
pub struct InFlight {
    flights: Mutex<Vec<Flight>>,
    births: Mutex<Births>,
    settle: OnceLock<Settle>,
    own: OnceLock<Vec<String>>,
}

/// Counts what moved since it was last asked, by [`InFlight::touch`].
pub type Settle = Box<dyn Fn() + Send + Sync>;

/// Processes, and the calls during which they were started.
#[derive(Debug, Default)]
struct Births {
    /// `None`: nobody knows. Those that were started during none are left out, as long as nothing was forgotten.
    during: HashMap<u32, Option<Vec<u64>>>,
    forgotten: bool,
}

impl Births {
    /// `None`: it may have been any call.
    fn of(&self, pid: u32) -> Option<&[u64]> {
        match self.during.get(&pid) {
            Some(during) => during.as_deref(),
            None if self.forgotten => None,
            None => Some(&[]),
        }
    }

    /// Whether a process was started during this call, if it was started during no other; `None`: it may have been.
    fn alone(&self, pid: u32, call: u64) -> Option<bool> {
        match self.of(pid)? {
            [] => Some(false),
            [one] if *one == call => Some(true),
            _ => None,
        }
    }
}

/// Births remembered.
const BIRTHS: usize = 16_384;

impl InFlight {
    /// From now on `settle` is asked before a call begins and before one ends, so that what it alone can count goes to
    /// the calls that were in flight. The first one stays.
    pub fn settle_with(&self, settle: Settle) {
        let _ = self.settle.set(settle);
    }

    /// Folders that exist for the server alone (its TMPDIR, its HOME): what it writes there changes nothing of anybody's.
    /// The first ones stay.
    pub fn own(&self, folders: Vec<String>) {
        let _ = self.own.set(folders);
    }

    /// A call begins; `call` is its running number.
    pub fn begin(&self, call: u64) {
        self.settled();
        self.lock().push(Flight { call, ..Flight::default() });
    }

    /// A call ends: what it touched, and what it did alone. An unknown number gives nothing.
    pub fn end(&self, call: u64) -> (Summary, Deeds) {
        self.settled();
        let mut flights = self.lock();
        match flights.iter().position(|flight| flight.call == call) {
            Some(at) => {
                let Flight { summary, deeds, .. } = flights.remove(at);
                (summary, deeds)
            }
            None => Default::default(),
        }
    }

    /// The calls in flight now, oldest first.
    pub fn now(&self) -> (Vec<u64>, Attribution) {
        let calls: Vec<u64> = self.lock().iter().map(|flight| flight.call).collect();
        let attribution = match calls.len() {
            0 => Attribution::None,
            1 => Attribution::Sole,
            _ => Attribution::Overlap,
        };
        (calls, attribution)
    }

    /// A process began, during these calls (its own parent's included); `None`: it cannot be told any more. Whatever was
    /// said of this number before is of another process.
    pub fn born(&self, pid: u32, during: Option<Vec<u64>>) {
        let mut births = self.births();
        if during.as_ref().is_some_and(Vec::is_empty) && !births.forgotten {
            births.during.remove(&pid);
            return;
        }
        if births.during.len() >= BIRTHS {
            // From now on whoever is not known may be of any call.
            births.during.clear();
            births.forgotten = true;
        }
        births.during.insert(pid, during);
    }

    /// The calls that a process's children may be the work of: those in flight, and those that it was born in itself.
    pub fn lineage(&self, pid: u32) -> Vec<u64> {
        let (mut calls, _) = self.now();
        if let Some(during) = self.births().of(pid) {
            calls.extend(during);
            calls.sort_unstable();
            calls.dedup();
        }
        calls
    }

    /// What can be said of an access by this process now. One call in flight is the only one that it can be the work of,
    /// unless the process was started during an earlier one: then it is one of these.
    pub fn by(&self, pid: u32) -> (Vec<u64>, Attribution) {
        let (mut calls, attribution) = self.now();
        if attribution == Attribution::None {
            return (calls, attribution);
        }
        match self.births().of(pid) {
            None => (calls, Attribution::Overlap),
            Some(during) => {
                calls.extend(during);
                calls.sort_unstable();
                calls.dedup();
                let attribution = if calls.len() > 1 { Attribution::Overlap } else { attribution };
                (calls, attribution)
            }
        }
    }

    /// Adds an access to the summary of every call in flight.
    pub fn touch(&self, touch: Touch<'_>) {
        let mut flights = self.lock();
        if let [flight] = flights.as_mut_slice() {
            self.note_deed(flight, touch);
        }
        for flight in flights.iter_mut() {
            match touch {
                Touch::Read(path) => count(&mut flight.read, &mut flight.summary.files_read, path),
                Touch::Write(path, _) => count(&mut flight.written, &mut flight.summary.files_written, path),
                Touch::Host { host, up, down, .. } => {
                    count_host(&mut flight.summary.hosts, host, up, down);
                    flight.summary.bytes_up = flight.summary.bytes_up.saturating_add(up);
                    flight.summary.bytes_down = flight.summary.bytes_down.saturating_add(down);
                }
                Touch::Process => flight.summary.processes += 1,
                Touch::Denied => flight.summary.denied += 1,
            }
        }
    }

    /// Remembers the first of each kind, of the one call in flight.
    fn note_deed(&self, flight: &mut Flight, touch: Touch<'_>) {
        let deeds = &mut flight.deeds;
        match touch {
            Touch::Write(path, pid) if !deeds.wrote_by_own && !self.is_own(path) => {
                let Some(is_born_in_it) = self.births().alone(pid, flight.call) else { return };
                deeds.wrote.get_or_insert_with(|| path.to_owned());
                deeds.wrote_by_own = is_born_in_it;
            }
            Touch::Host { host, by: Some(pid), .. }
                if deeds.reached.is_none() && self.births().alone(pid, flight.call).is_some() =>
            {
                deeds.reached = Some(host.to_owned());
            }
            _ => {}
        }
    }

    /// Whether a path is nobody's but the server's: its own folders, a device, a file of `/proc`.
    fn is_own(&self, path: &str) -> bool {
        let is_below = |folder: &str| {
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        ["/dev", "/proc"]
            .into_iter()
            .chain(self.own.get().into_iter().flatten().map(String::as_str))
            .any(is_below)
    }

    fn births(&self) -> MutexGuard<'_, Births> {
        self.births.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self) {
        if let Some(settle) = self.settle.get() {
            settle();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Flight>> {
        // The list is valid after every statement above, so a panic elsewhere leaves nothing to repair.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_host(hosts: &mut Vec<HostBytes>, host: &str, up: u64, down: u64) {
    let is_known = |one: &HostBytes| one.host == host;
    let at = match hosts.iter().position(is_known) {
        Some(at) => at,
        None => {
            let host = if hosts.len() < MOST_HOSTS { host } else { OTHERS };
            hosts.iter().position(|one| one.host == host).unwrap_or_else(|| {
                hosts.push(HostBytes { host: host.to_owned(), bytes_up: 0, bytes_down: 0 });
                hosts.len() - 1
            })
        }
    };
    if let Some(one) = hosts.get_mut(at) {
        one.bytes_up = one.bytes_up.saturating_add(up);
        one.bytes_down = one.bytes_down.saturating_add(down);
    }
}

fn count(seen: &mut BTreeSet<u64>, counter: &mut u64, path: &str) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    if seen.len() >= DISTINCT_CAP || seen.insert(hasher.finish()) {
        *counter += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribution_follows_the_number_of_calls() {
        let calls = InFlight::default();
        assert_eq!(calls.now(), (vec![], Attribution::None));
        calls.begin(1);
        assert_eq!(calls.now(), (vec![1], Attribution::Sole));
        calls.begin(2);
        assert_eq!(calls.now(), (vec![1, 2], Attribution::Overlap));
        calls.end(1);
        assert_eq!(calls.now(), (vec![2], Attribution::Sole));
    }

    #[test]
    fn work_of_an_earlier_call_is_not_the_later_ones_alone() {
        let calls = InFlight::default();
        calls.begin(1);
        calls.born(7, Some(calls.lineage(6)));
        assert_eq!(calls.by(7), (vec![1], Attribution::Sole));
        calls.end(1);
        assert_eq!(calls.by(7), (vec![], Attribution::None));
        calls.begin(2);
        assert_eq!(calls.by(7), (vec![1, 2], Attribution::Overlap));
        assert_eq!(calls.by(6), (vec![2], Attribution::Sole));
        // Its children are no less.
        calls.born(8, Some(calls.lineage(7)));
        assert_eq!(calls.by(8), (vec![1, 2], Attribution::Overlap));
        // The number is somebody else's.
        calls.born(7, Some(vec![]));
        assert_eq!(calls.by(7), (vec![2], Attribution::Sole));
        calls.born(9, None);
        assert_eq!(calls.lineage(9), [2]);
        assert_eq!(calls.by(9), (vec![2], Attribution::Overlap));
    }

    #[test]
    fn a_summary_counts_distinct_files() {
        let calls = InFlight::default();
        calls.begin(7);
        calls.touch(Touch::Read("/a"));
        calls.touch(Touch::Read("/a"));
        calls.touch(Touch::Read("/b"));
        calls.touch(Touch::Write("/a", 1));
        calls.touch(Touch::Denied);
        let (summary, _) = calls.end(7);
        assert_eq!((summary.files_read, summary.files_written, summary.denied), (2, 1, 1));
        assert_eq!(calls.end(7), (Summary::default(), Deeds::default()));
    }

    #[test]
    fn only_what_one_call_did_alone_is_held_against_it() {
        let calls = InFlight::default();
        calls.own(vec!["/home/own".into()]);
        let host = |by| Touch::Host { host: "a.com", up: 0, down: 0, by };
        let deeds = |touches: &[Touch<'_>]| {
            calls.begin(2);
            touches.iter().for_each(|touch| calls.touch(*touch));
            calls.end(2).1
        };
        for path in ["/home/own/a", "/home/own", "/dev/null", "/proc/self/comm"] {
            assert_eq!(deeds(&[Touch::Write(path, 5)]), Deeds::default(), "{path}");
        }
        assert_eq!(deeds(&[Touch::Read("/a"), Touch::Process, Touch::Denied, host(None)]), Deeds::default());
        let did = deeds(&[Touch::Write("/home/owner", 5), Touch::Write("/b", 5), host(Some(5))]);
        let wrote = Some("/home/owner".to_owned());
        assert_eq!(did, Deeds { wrote, wrote_by_own: false, reached: Some("a.com".into()) });
        // Another call is in flight too; then one that a process of an earlier call outlives.
        calls.begin(1);
        assert_eq!(deeds(&[Touch::Write("/b", 5), host(Some(5))]), Deeds::default());
        calls.born(7, Some(vec![1]));
        calls.end(1);
        assert_eq!(deeds(&[Touch::Write("/b", 7), host(Some(7))]), Deeds::default());
        calls.born(8, None);
        assert_eq!(deeds(&[Touch::Write("/b", 8)]), Deeds::default());
        calls.born(9, Some(vec![2]));
        let did = deeds(&[Touch::Write("/b", 5), Touch::Write("/c", 9)]);
        assert_eq!(did, Deeds { wrote: Some("/b".into()), wrote_by_own: true, reached: None });
    }

    #[test]
    fn bytes_count_for_the_calls_in_flight_when_they_flow() {
        let calls = InFlight::default();
        calls.begin(1);
        calls.touch(Touch::Host { host: "a.com", up: 10, down: 0, by: None });
        calls.begin(2);
        calls.touch(Touch::Host { host: "a.com", up: 1, down: 5, by: None });
        calls.touch(Touch::Host { host: "b.com", up: 0, down: 0, by: None });
        let (first, second) = (calls.end(1).0, calls.end(2).0);
        assert_eq!((first.bytes_up, first.bytes_down), (11, 5));
        assert_eq!((second.bytes_up, second.bytes_down), (1, 5));
        let a = |up| HostBytes { host: "a.com".into(), bytes_up: up, bytes_down: 5 };
        let b = HostBytes { host: "b.com".into(), bytes_up: 0, bytes_down: 0 };
        assert_eq!((first.hosts, second.hosts), (vec![a(11), b.clone()], vec![a(1), b]));
    }

    #[test]
    fn hosts_beyond_the_cap_are_one_entry() {
        let calls = InFlight::default();
        calls.begin(1);
        for at in 0..MOST_HOSTS + 10 {
            calls.touch(Touch::Host { host: &format!("{at}.com"), up: 1, down: 0, by: None });
        }
        let hosts = calls.end(1).0.hosts;
        assert_eq!(hosts.len(), MOST_HOSTS + 1);
        assert_eq!((hosts[MOST_HOSTS].host.as_str(), hosts[MOST_HOSTS].bytes_up), (OTHERS, 10));
    }

    #[test]
    fn what_only_another_can_count_is_settled_at_the_edges_of_calls() {
        let calls = std::sync::Arc::new(InFlight::default());
        let (own, asked) = (std::sync::Arc::downgrade(&calls), std::sync::atomic::AtomicU64::new(0));
        calls.settle_with(Box::new(move || {
            let up = 10 * (1 + asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            own.upgrade().unwrap().touch(Touch::Host { host: "a.com", up, down: 0, by: None });
        }));
        calls.begin(1);
        calls.begin(2);
        assert_eq!((calls.end(1).0.bytes_up, calls.end(2).0.bytes_up), (20 + 30, 30 + 40));
    }
}
