//! Calls that wait for a person's yes: what is asked, what counts as an answer, and what was said before.
//!
//! A call is held between its judgement and its admission: the server has not seen it, it is not in flight, no time runs
//! but the time for the answer. The first answer is the only one. What is answered is this call and no other: a yes is for
//! one tool with these very bytes of arguments, and only where the person says so for the same again in this session.
//!
//! In the legacy era the call waits with us. In the modern era the client is answered at once and comes again with what
//! its user said and a [`state`] that only we can have made; where that cannot be, the call waits too.
//!
//! Rests on the Model Context Protocol, "Elicitation", revisions 2025-06-18 to 2026-07-28.

pub mod lines;
pub mod prompt;
pub mod refused;
mod reply;
mod state;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::jsonrpc::{IdKey, Raw};
use crate::mcp::confirm::state::Seal;
use crate::mcp::pending::{Call, Digest};

pub use crate::mcp::confirm::reply::{Answer, read};
pub use crate::mcp::confirm::state::State;

/// Most calls that wait at a time.
pub const MAX_HELD: usize = 32;
/// Most bytes of calls that wait.
const MAX_BYTES: usize = 64 << 20;
/// Most approvals that are remembered, and most rounds.
const MAX_REMEMBERED: usize = 1000;
/// How often a client is told that its call still waits.
const PROGRESS: Duration = Duration::from_secs(10);

/// The digest of a call's arguments.
pub fn digest(arguments: Option<Raw<'_>>) -> Digest {
    Sha256::digest(arguments.map_or("", |raw| raw.0)).into()
}

/// How a call is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a request of ours to the client (legacy).
    Elicitation,
    /// By a result that asks, and the client comes again (modern).
    InputRequired,
    /// Past the client.
    Outside,
}

/// A call that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What it is called by whoever answers.
    pub id: String,
    /// The call: `started` is when it was held.
    pub call: Call,
    /// The JSON-RPC id as the client wrote it.
    pub request: Box<str>,
    /// Whether it was asked in the modern era.
    pub modern: bool,
    /// How it is asked about.
    pub way: Way,
    /// Its arguments.
    pub digest: Digest,
    /// The whole message, to be forwarded; empty where the client comes again.
    pub text: Box<str>,
    /// The rule that has it ask.
    pub rule: String,
    /// Its arguments, made visible.
    pub shown: String,
    /// When no answer is a no.
    pub deadline: Instant,
    /// What somebody outside said before the client came again.
    pub settled: Option<bool>,
    key: IdKey,
    progress: Option<Progress>,
}

/// What a client is told while it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Progress {
    token: String,
    told: u32,
    next: Instant,
}

/// What is held of a message.
pub(super) struct New<'a> {
    pub(super) call: Call,
    pub(super) key: &'a IdKey,
    pub(super) request: &'a str,
    pub(super) modern: bool,
    pub(super) way: Way,
    pub(super) arguments: Option<Raw<'a>>,
    pub(super) text: &'a str,
    pub(super) rule: String,
    pub(super) token: Option<String>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Confirmations {
    seal: Seal,
    timeout: Duration,
    held: BTreeMap<String, Held>,
    /// Yes for the rest of the session.
    remembered: HashSet<(String, Digest)>,
    /// Calls that were confirmed and that the server answered by asking for something, oldest first: they come again.
    rounds: VecDeque<(String, Digest)>,
    numbered: u64,
}

impl Confirmations {
    /// `key` is random; `began` is when the session did.
    pub(super) fn new(key: &[u8; 32], timeout: Duration, began: Instant) -> Self {
        Confirmations {
            seal: Seal::new(key, began),
            timeout,
            held: BTreeMap::new(),
            remembered: HashSet::new(),
            rounds: VecDeque::new(),
            numbered: 0,
        }
    }

    /// The id of our question about a call that is held.
    pub(super) fn question(&self, held: &Held) -> String {
        format!("{}{}", self.seal.prefix(), held.id)
    }

    /// The held call that an answer with this id is about; `None`: the answer is not to one of our questions.
    pub(super) fn asked<'i>(&self, id: &'i IdKey) -> Option<&'i str> {
        match id {
            IdKey::Text(text) => text.strip_prefix(self.seal.prefix()),
            IdKey::Number(_) => None,
        }
    }

    /// Whether there is room for another, so many bytes long.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let taken: usize = self.held.values().map(|held| held.text.len()).sum();
        self.held.len() < MAX_HELD && taken.saturating_add(bytes) <= MAX_BYTES
    }

    /// Holds a call, for which there is room: what is now known of it, and the state to hand back, where it is one.
    pub(super) fn hold(&mut self, new: New<'_>, now: Instant) -> (Held, Option<String>) {
        let mut id = String::new();
        while id.is_empty() || self.held.contains_key(&id) {
            self.numbered += 1;
            id = self.seal.name(self.numbered);
        }
        let deadline = now.checked_add(self.timeout).unwrap_or(now);
        let held = Held {
            id: id.clone(),
            digest: digest(new.arguments),
            shown: prompt::arguments(new.arguments),
            request: new.request.into(),
            modern: new.modern,
            way: new.way,
            text: if new.way == Way::InputRequired { "".into() } else { new.text.into() },
            rule: new.rule,
            deadline,
            settled: None,
            key: new.key.clone(),
            progress: new.token.filter(|_| new.way != Way::InputRequired).map(|token| Progress {
                token,
                told: 0,
                next: now,
            }),
            call: new.call,
        };
        let state = (held.way == Way::InputRequired)
            .then(|| self.seal.state(&id, deadline, &held.call.tool, &held.digest));
        self.held.insert(id, held.clone());
        (held, state)
    }

    /// What a `requestState` is to a call.
    pub(super) fn state(&self, state: &str, tool: &str, digest: &Digest, now: Instant) -> State {
        let found = self.seal.open(state, tool, digest, now);
        match &found {
            State::Ours(id) if !self.held.contains_key(id) => State::Replayed,
            _ => found,
        }
    }

    /// The calls that wait, by their ids.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// Whether a request with this id waits.
    pub(super) fn holds(&self, key: &IdKey) -> bool {
        self.held.values().any(|held| held.way != Way::InputRequired && held.key == *key)
    }

    /// Somebody answered in time: the call, which is held no longer. Whoever comes second finds nothing.
    pub(super) fn take(&mut self, id: &str, now: Instant) -> Option<Held> {
        self.held.get(id).filter(|held| now < held.deadline)?;
        self.held.remove(id)
    }

    /// Somebody outside answered in time for a client that will come again: the call as it is held now.
    pub(super) fn settle(&mut self, id: &str, approved: bool, now: Instant) -> Option<Held> {
        let held = self.held.get_mut(id)?;
        if held.way != Way::InputRequired || held.settled.is_some() || now >= held.deadline {
            return None;
        }
        held.settled = Some(approved);
        Some(held.clone())
    }

    /// The client takes a request back.
    pub(super) fn take_back(&mut self, key: &IdKey) -> Option<Held> {
        let id = self
            .held
            .values()
            .find(|held| held.way != Way::InputRequired && held.key == *key)
            .map(|held| held.id.clone())?;
        self.held.remove(&id)
    }

    /// When there is something to do next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let next =
            |held: &Held| held.progress.as_ref().map_or(held.deadline, |it| it.next.min(held.deadline));
        self.held.values().map(next).min()
    }

    /// The calls that nobody answered in time.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Held> {
        let late: Vec<String> =
            self.held.values().filter(|held| held.deadline <= now).map(|held| held.id.clone()).collect();
        late.iter().filter_map(|id| self.held.remove(id)).collect()
    }

    /// Whom to tell that a call still waits: the token and how often that was said.
    pub(super) fn progress(&mut self, now: Instant) -> Vec<(String, u32)> {
        let waiting = self.held.values_mut().filter_map(|held| held.progress.as_mut());
        let due = waiting.filter(|progress| progress.next <= now).map(|progress| {
            progress.told += 1;
            progress.next = now + PROGRESS;
            (progress.token.clone(), progress.told)
        });
        due.collect()
    }

    /// Everything that waits, in the order in which it was called.
    pub(super) fn drain(&mut self) -> Vec<Held> {
        let mut all: Vec<Held> = std::mem::take(&mut self.held).into_values().collect();
        all.sort_by_key(|held| held.call.number);
        all
    }

    /// A yes that holds for the rest of the session, for this tool with these arguments.
    pub(super) fn remember(&mut self, tool: &str, digest: Digest) {
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.insert((tool.to_owned(), digest));
        }
    }

    /// Whether the person has said yes to all of these.
    pub(super) fn is_remembered(&self, tool: &str, digest: &Digest) -> bool {
        self.remembered.contains(&(tool.to_owned(), *digest))
    }

    /// The server answered a call that was confirmed by asking for something: it comes again, once.
    pub(super) fn goes_on(&mut self, tool: &str, digest: Digest) {
        self.rounds.push_back((tool.to_owned(), digest));
        if self.rounds.len() > MAX_REMEMBERED {
            self.rounds.pop_front();
        }
    }

    /// Whether the call comes again; if it does, that is used up.
    pub(super) fn comes_again(&mut self, tool: &str, digest: &Digest) -> bool {
        let at = self.rounds.iter().position(|(known, with)| known == tool && with == digest);
        at.and_then(|at| self.rounds.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests;
