//! What the client asked and the server has not answered.
//!
//! Bounded: what comes beyond [`MAX`] calls or other requests in flight is refused, so that every answer can be told from
//! one that nobody asked for. What nobody waits for any more (taken back, timed out) is remembered as long as there is
//! room, because its answer may still come.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use crate::jsonrpc::{Id, IdKey};
use crate::mcp::ask::Capabilities;
use crate::mcp::catalog::Cursor;
use crate::mcp::pins::Kind;

/// SHA-256 of a call's arguments.
pub type Digest = [u8; 32];

/// Most calls in flight, and most other requests.
pub const MAX: usize = 10_000;

/// A call in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Running number in the session, from 1.
    pub number: u64,
    /// The tool.
    pub tool: String,
    /// When it was admitted.
    pub started: Instant,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `tools/call`.
    Call(Call),
    /// `initialize` or `server/discover`, whose answer says which versions are spoken, and what the server is for.
    Initialize,
    /// `tasks/result`, `tasks/get` …, for a task that a call of this tool became.
    Task {
        /// The tool.
        tool: String,
        /// The task.
        task: Box<str>,
        /// `tasks/result`, whose answer is the call's result.
        result: bool,
    },
    /// `tools/list`: this page, whose answer is read and may be rewritten.
    Tools(Cursor),
    /// Another list whose answer is read and may be rewritten: this page of it.
    Listed(Kind, Cursor),
    /// Another request.
    Other,
    /// A call that was taken back; its answer may still come.
    Cancelled,
    /// A call that took too long; its answer comes too late.
    TimedOut,
    /// Another request that was taken back.
    Withdrawn,
    /// A request of ours: its answer is for nobody else.
    Ours,
}

impl Asked {
    /// Whether nobody waits for the answer.
    fn is_over(&self) -> bool {
        matches!(self, Asked::Cancelled | Asked::TimedOut | Asked::Withdrawn | Asked::Ours)
    }
}

/// One request in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What was asked.
    pub asked: Asked,
    /// The id as the client wrote it.
    pub id: Box<str>,
    /// Whether it was asked in the modern era.
    pub modern: bool,
    /// Whether the call becomes a task.
    pub task: bool,
    /// What the client can be asked for before the answer comes.
    pub announced: Capabilities,
    /// The digest of a call's arguments, where somebody said yes to it.
    pub confirmed: Option<Digest>,
    /// When it is too late, for what has a time-out; the number tells apart what is late at the same time.
    deadline: Option<(Instant, u64)>,
    /// Requests with the same id before it that were not answered: no calls, so whose answer comes first is the same.
    earlier: u32,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Pending {
    requests: HashMap<IdKey, Request>,
    /// Calls in flight, by tool.
    calls: HashMap<String, usize>,
    /// Their number.
    count: usize,
    /// When requests are too late, by time and number.
    deadlines: BTreeMap<(Instant, u64), IdKey>,
    numbered: u64,
    /// Requests that are over, oldest first; some may have been answered since.
    over: VecDeque<IdKey>,
    /// How many of them are still in the table.
    over_count: usize,
}

impl Pending {
    pub(super) fn get(&self, id: &IdKey) -> Option<&Request> {
        self.requests.get(id)
    }

    /// Requests whose answer the client still waits for.
    pub(super) fn unanswered(&self) -> usize {
        self.requests.len() - self.over_count
    }

    /// Calls in flight, of all tools and of this one.
    pub(super) fn calls(&self, tool: &str) -> (usize, usize) {
        (self.count, self.calls.get(tool).copied().unwrap_or_default())
    }

    /// Whether another call would be too many.
    pub(super) fn is_full(&self) -> bool {
        self.count >= MAX
    }

    /// Whether another request that is no call would be too many.
    pub(super) fn has_no_room(&self) -> bool {
        self.unanswered() - self.count >= MAX
    }

    /// Keeps a request. The caller has made sure that there is room, and that its id is free or that neither is a call.
    pub(super) fn insert(
        &mut self,
        id: &Id<'_>,
        asked: Asked,
        modern: bool,
        deadline: Option<Instant>,
        task: bool,
    ) {
        if let Asked::Call(call) = &asked {
            self.count += 1;
            *self.calls.entry(call.tool.clone()).or_default() += 1;
        }
        let deadline = deadline.map(|deadline| {
            self.numbered += 1;
            (deadline, self.numbered)
        });
        self.deadlines.extend(deadline.map(|deadline| (deadline, id.key().clone())));
        let request = Request {
            asked,
            id: id.raw().into(),
            modern,
            task,
            announced: Capabilities::default(),
            confirmed: None,
            deadline,
            earlier: 0,
        };
        if let Some(before) = self.requests.insert(id.key().clone(), request) {
            self.over_count -= usize::from(before.asked.is_over());
            self.forget(before.deadline);
            if let Some(request) = self.requests.get_mut(id.key()) {
                request.earlier = before.earlier.saturating_add(1);
            }
        }
    }

    /// What the client can be asked for before this is answered.
    pub(super) fn announce(&mut self, id: &IdKey, announced: Capabilities) {
        if let Some(request) = self.requests.get_mut(id) {
            request.announced = announced;
        }
    }

    /// Somebody said yes to this call with these arguments.
    pub(super) fn confirm(&mut self, id: &IdKey, digest: Digest) {
        if let Some(request) = self.requests.get_mut(id) {
            request.confirmed = Some(digest);
        }
    }

    /// An answer with this id is dealt with: what it is to. Where several requests have the id, the last one stays.
    pub(super) fn take(&mut self, id: &IdKey) -> Option<Request> {
        let request = self.requests.get_mut(id)?;
        if request.earlier > 0 {
            request.earlier -= 1;
            return Some(Request { asked: Asked::Other, deadline: None, earlier: 0, ..request.clone() });
        }
        let request = self.requests.remove(id)?;
        self.over_count -= usize::from(request.asked.is_over());
        self.settle(&request);
        Some(request)
    }

    /// A request is no longer in flight.
    fn settle(&mut self, request: &Request) {
        self.forget(request.deadline);
        let Asked::Call(call) = &request.asked else { return };
        self.count -= 1;
        if let Some(count) = self.calls.get_mut(&call.tool) {
            *count -= 1;
            if *count == 0 {
                self.calls.remove(&call.tool);
            }
        }
    }

    fn forget(&mut self, deadline: Option<(Instant, u64)>) {
        if let Some(deadline) = deadline {
            self.deadlines.remove(&deadline);
        }
    }

    /// Takes a request back. A call is handed out. The id stays taken until the answer comes, or until too many were
    /// taken back since.
    pub(super) fn cancel(&mut self, id: &IdKey) -> Option<Call> {
        match self.requests.get(id)?.asked {
            Asked::Call(_) => match self.end(id, Asked::Cancelled)?.asked {
                Asked::Call(call) => Some(call),
                _ => None,
            },
            Asked::Other | Asked::Task { .. } => {
                self.end(id, Asked::Withdrawn);
                None
            }
            // The protocol does not let a client take the first back; the late answer to the second is read all the
            // same, for whoever no longer waits for it may still look at it.
            Asked::Initialize | Asked::Tools(_) | Asked::Listed(..) => None,
            Asked::Cancelled | Asked::TimedOut | Asked::Withdrawn | Asked::Ours => None,
        }
    }

    /// Nobody waits for this any more; the request as it was.
    fn end(&mut self, id: &IdKey, over: Asked) -> Option<Request> {
        let request = self.requests.get_mut(id)?;
        let ended = request.clone();
        request.asked = over;
        request.deadline = None;
        self.settle(&ended);
        self.remember(id);
        Some(ended)
    }

    /// A request of ours goes to the server.
    pub(super) fn expect(&mut self, id: &Id<'_>) {
        self.insert(id, Asked::Ours, false, None, false);
        self.remember(id.key());
    }

    /// Keeps what is over as long as there is room.
    fn remember(&mut self, id: &IdKey) {
        self.over_count += 1;
        self.over.push_back(id.clone());
        while self.over.len() > MAX {
            let Some(oldest) = self.over.pop_front() else { break };
            if self.requests.get(&oldest).is_some_and(|request| request.asked.is_over()) {
                self.requests.remove(&oldest);
                self.over_count -= 1;
            }
        }
    }

    /// When the next request is too late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// The requests that are too late at `now`, oldest deadline first. Their answers are late from here on.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Request> {
        let mut expired = Vec::new();
        while let Some(((deadline, _), id)) = self.deadlines.first_key_value()
            && *deadline <= now
        {
            let id = id.clone();
            match self.end(&id, Asked::TimedOut) {
                Some(request) => expired.push(request),
                // Cannot be: a deadline goes with its call. It would be found again for ever.
                None => drop(self.deadlines.pop_first()),
            }
        }
        expired
    }

    /// Takes all calls, in the order in which they began.
    pub(super) fn drain(&mut self) -> Vec<Call> {
        let mut calls: Vec<Call> = std::mem::take(self)
            .requests
            .into_values()
            .filter_map(|request| match request.asked {
                Asked::Call(call) => Some(call),
                _ => None,
            })
            .collect();
        calls.sort_unstable_by_key(|call| call.number);
        calls
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn call(number: u64, tool: &str, started: Instant) -> Asked {
        Asked::Call(Call { number, tool: tool.into(), started })
    }

    fn id(text: &str) -> Id<'_> {
        Id::parse(text).unwrap()
    }

    #[test]
    fn calls_are_late_in_the_order_of_their_deadlines() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pending = Pending::default();
        pending.insert(&id("1"), call(1, "a", start), false, Some(at(30)), false);
        pending.insert(&id("2"), call(2, "a", start), true, Some(at(10)), false);
        pending.insert(&id("3"), call(3, "b", start), false, Some(at(10)), false);
        pending.insert(&id("4"), call(4, "b", start), false, None, false);
        assert_eq!(pending.deadline(), Some(at(10)));
        assert!(pending.expire(at(9)).is_empty());
        let late: Vec<_> =
            pending.expire(at(10)).into_iter().map(|request| (request.id, request.modern)).collect();
        assert_eq!(late, [("2".into(), true), ("3".into(), false)]);
        assert_eq!((pending.calls("a"), pending.calls("b"), pending.unanswered()), ((2, 1), (2, 1), 2));
        assert_eq!(pending.get(id("2").key()).unwrap().asked, Asked::TimedOut);
        assert_eq!(pending.take(id("2").key()).unwrap().asked, Asked::TimedOut);
        pending.take(id("1").key());
        assert_eq!(pending.deadline(), None);
        assert!(pending.expire(at(1000)).is_empty());
        assert_eq!(pending.calls("b"), (1, 1));
    }

    #[test]
    fn what_is_over_is_remembered_as_long_as_there_is_room() {
        let start = Instant::now();
        let mut pending = Pending::default();
        for number in 0..MAX as u64 + 7 {
            let text = number.to_string();
            pending.insert(&id(&text), call(number, "a", start), false, None, false);
            assert!(pending.cancel(id(&text).key()).is_some());
        }
        assert_eq!(pending.unanswered(), 0);
        assert!(pending.get(id("6").key()).is_none() && pending.get(id("7").key()).is_some());
        assert!(!pending.is_full() && !pending.has_no_room());
        assert!(pending.drain().is_empty());
    }

    #[test]
    fn requests_that_share_an_id_are_answered_one_by_one() {
        let mut pending = Pending::default();
        for asked in [Asked::Other, Asked::Initialize, Asked::Other] {
            pending.insert(&id("0"), asked, false, None, false);
        }
        for _ in 0..3 {
            assert!(pending.take(id("0").key()).is_some());
        }
        assert!(pending.take(id("0").key()).is_none());
        pending.insert(&id("0"), Asked::Other, false, None, false);
        pending.cancel(id("0").key());
        pending.insert(&id("0"), Asked::Other, false, None, false);
        assert_eq!(pending.unanswered(), 1);
        assert!(pending.take(id("0").key()).is_some() && pending.take(id("0").key()).is_some());
        assert_eq!(pending.unanswered(), 0);
    }
}
