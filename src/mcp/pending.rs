//! What the client asked and the server has not answered.
//!
//! Bounded: calls beyond [`MAX`] are refused, other requests beyond it are not kept track of.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::time::Instant;

use crate::jsonrpc::{Id, IdKey};
use crate::mcp::catalog::Cursor;

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
    /// `initialize`, whose answer says which version is spoken.
    Initialize,
    /// `tools/list`: this page, whose answer is read and may be rewritten.
    Tools(Cursor),
    /// Another request.
    Other,
    /// A call that was taken back; its answer may still come.
    Cancelled,
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
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Pending {
    requests: HashMap<IdKey, Request>,
    calls: usize,
}

impl Pending {
    pub(super) fn get(&self, id: &IdKey) -> Option<&Request> {
        self.requests.get(id)
    }

    /// Requests whose answer the client still waits for.
    pub(super) fn unanswered(&self) -> usize {
        self.requests.values().filter(|request| request.asked != Asked::Cancelled).count()
    }

    /// Whether another call would be too many.
    pub(super) fn is_full(&self) -> bool {
        self.calls >= MAX
    }

    /// Whether another request that is no call would not be kept.
    pub(super) fn has_no_room(&self) -> bool {
        self.requests.len() - self.calls >= MAX
    }

    /// Keeps a request. The caller has made sure that its id is free, or that neither is a call.
    pub(super) fn insert(&mut self, id: &Id<'_>, asked: Asked, modern: bool) {
        let is_call = matches!(asked, Asked::Call(_));
        if !is_call && self.has_no_room() {
            return;
        }
        self.calls += usize::from(is_call);
        self.requests.insert(id.key().clone(), Request { asked, id: id.raw().into(), modern });
    }

    pub(super) fn remove(&mut self, id: &IdKey) -> Option<Request> {
        let request = self.requests.remove(id)?;
        self.calls -= usize::from(matches!(request.asked, Asked::Call(_)));
        Some(request)
    }

    /// Takes a request back. A call is handed out, and its id stays taken until its answer comes or the session
    /// ends; other requests are forgotten.
    pub(super) fn cancel(&mut self, id: &IdKey) -> Option<Call> {
        let Slot::Occupied(mut slot) = self.requests.entry(id.clone()) else { return None };
        match std::mem::replace(&mut slot.get_mut().asked, Asked::Cancelled) {
            Asked::Call(call) => {
                self.calls -= 1;
                if self.requests.len() - self.calls > MAX {
                    self.requests.remove(id);
                }
                Some(call)
            }
            Asked::Cancelled => None,
            // The protocol does not let a client take the first back; the late answer to the second is read all the
            // same, for whoever no longer waits for it may still look at it.
            kept @ (Asked::Initialize | Asked::Tools(_)) => {
                slot.get_mut().asked = kept;
                None
            }
            Asked::Other => {
                slot.remove();
                None
            }
        }
    }

    /// Takes all calls, in the order in which they began.
    pub(super) fn drain(&mut self) -> Vec<Call> {
        self.calls = 0;
        let mut calls: Vec<Call> = std::mem::take(&mut self.requests)
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
