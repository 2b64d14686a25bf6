//! What the server asked and the client has not answered.
//!
//! Bounded, as what the client asks is. An id that is in flight is not used again where the answers differ in what
//! becomes of them.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::jsonrpc::{Id, IdKey};
use crate::mcp::ask::Kind;
use crate::mcp::pending::MAX;
use crate::mcp::refusal::Refusal;

/// Requests that were taken back and are remembered.
const MAX_TAKEN_BACK: usize = 1000;

/// One request of the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Running number in the session, from 1.
    pub number: u64,
    /// What is asked for.
    pub kind: Kind,
    /// Its method.
    pub method: String,
    /// When it was asked.
    pub started: Instant,
    /// How often it is in flight with this id.
    count: u32,
    /// The server wants no answer any more.
    over: bool,
}

/// The table.
#[derive(Debug, Default)]
pub(in crate::mcp) struct Waiting {
    asked: HashMap<IdKey, Asking>,
    taken_back: VecDeque<IdKey>,
    numbered: u64,
}

impl Waiting {
    /// A running number.
    pub(in crate::mcp) fn number(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered
    }

    /// Why another request cannot be kept track of, if it cannot.
    pub(in crate::mcp) fn refuse(&self, id: &Id<'_>, kind: Kind) -> Option<Refusal> {
        match self.asked.get(id.key()) {
            Some(asking) if asking.kind.is_told() || kind.is_told() || asking.kind != kind => {
                Some(Refusal::ambiguous(format!("the id {} is already in flight", id.raw())))
            }
            None if self.asked.len() >= MAX => Some(Refusal::too_many_requests(MAX)),
            _ => None,
        }
    }

    /// A request goes to the client: its running number.
    pub(in crate::mcp) fn ask(&mut self, id: &Id<'_>, kind: Kind, method: &str, now: Instant) -> u64 {
        let number = self.number();
        let asking = Asking { number, kind, method: method.to_owned(), started: now, count: 0, over: false };
        self.asked.entry(id.key().clone()).or_insert(asking).count += 1;
        number
    }

    /// What an answer with this id answers.
    pub(in crate::mcp) fn get(&self, id: &IdKey) -> Option<&Asking> {
        self.asked.get(id)
    }

    /// Why an answer with this id goes no further, if it does not.
    pub(in crate::mcp) fn refuse_answer(&self, id: &Id<'_>) -> Option<Refusal> {
        match self.asked.get(id.key()) {
            None => Some(Refusal::unasked(id.raw())),
            Some(asking) if asking.over => Some(Refusal::taken_back()),
            Some(_) => None,
        }
    }

    /// An answer with this id came: what it answers.
    pub(in crate::mcp) fn answer(&mut self, id: &IdKey) -> Option<Asking> {
        let asking = self.asked.get_mut(id)?;
        asking.count -= 1;
        if asking.count > 0 {
            return Some(asking.clone());
        }
        self.asked.remove(id)
    }

    /// The server wants no answer any more: what it had asked. The answer may still come.
    pub(in crate::mcp) fn take_back(&mut self, id: &IdKey) -> Option<Asking> {
        let asking = self.asked.get_mut(id).filter(|asking| !asking.over)?;
        asking.over = true;
        let ended = asking.clone();
        self.taken_back.push_back(id.clone());
        while self.taken_back.len() > MAX_TAKEN_BACK {
            let Some(oldest) = self.taken_back.pop_front() else { break };
            if self.asked.get(&oldest).is_some_and(|asking| asking.over) {
                self.asked.remove(&oldest);
            }
        }
        Some(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::reason::Reason;

    fn id(text: &str) -> Id<'_> {
        Id::parse(text).unwrap()
    }

    #[test]
    fn an_id_in_flight_is_not_used_for_something_else() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        waiting.ask(&id("1"), Kind::Ping, "ping", now);
        assert_eq!(waiting.refuse(&id("1"), Kind::Ping), None);
        waiting.ask(&id("1"), Kind::Ping, "ping", now);
        let refused = waiting.refuse(&id("1"), Kind::Roots).unwrap();
        assert_eq!(refused.denial.reason, Reason::MessageAmbiguous);
        assert!(waiting.answer(id("1").key()).is_some() && waiting.answer(id("1").key()).is_some());
        assert_eq!(waiting.refuse_answer(&id("1")).unwrap().denial.reason, Reason::MessageUnasked);
        assert_eq!(waiting.refuse(&id("1"), Kind::Roots), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        for n in 0..MAX {
            let text = n.to_string();
            assert_eq!(waiting.refuse(&id(&text), Kind::Roots), None);
            waiting.ask(&id(&text), Kind::Roots, "roots/list", now);
        }
        assert_eq!(waiting.refuse(&id("\"x\""), Kind::Roots).unwrap().denial.reason, Reason::MessageTooMany);
        for n in 0..MAX {
            assert!(waiting.take_back(id(&n.to_string()).key()).is_some());
        }
        assert_eq!((waiting.asked.len(), waiting.taken_back.len()), (MAX_TAKEN_BACK, MAX_TAKEN_BACK));
        let last = (MAX - 1).to_string();
        assert_eq!(waiting.refuse_answer(&id(&last)).unwrap().denial.reason, Reason::MessageLate);
        assert!(waiting.take_back(id(&last).key()).is_none());
    }
}
