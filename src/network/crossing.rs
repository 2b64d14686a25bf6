//! One connection on its way through the passage: whose it is, what it is to, what went over it; and how its refusals are
//! explained.
//!
//! It is an owner: when it goes, the connection has ended, it is no longer counted, and its last line is written.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::Backend;
use crate::network::record::{Asker, Ending, Record, never, not_listed};
use crate::network::requests::Refusal;
use crate::network::{Shared, Target, lock};
use crate::policy::calls::Touch;
use crate::policy::host::Name;
use crate::policy::reason::Reason;
use crate::policy::verdict::Denial;

/// What the log has of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// No line yet.
    Nothing,
    /// That it was made: its end is due.
    Made,
    /// That it was refused, or could not be made; or the log could not be written. Nothing is due.
    Refused,
}

/// One connection on its way through. When it is dropped it has ended, and its last line is written.
pub(super) struct Crossing {
    shared: Arc<Shared>,
    cookie: u64,
    pub(super) asker: Asker,
    pub(super) target: Target,
    pub(super) names: Vec<Name>,
    pub(super) upstream: Option<OwnedFd>,
    /// The host that was judged.
    pub(super) host: Option<String>,
    since: Instant,
    said: Said,
    up: AtomicU64,
    down: AtomicU64,
    pub(super) cause: &'static str,
}

impl Crossing {
    pub(super) fn new(
        shared: Arc<Shared>,
        cookie: u64,
        asker: Asker,
        target: Target,
        names: Vec<Name>,
        upstream: OwnedFd,
    ) -> Self {
        shared.live.fetch_add(1, Ordering::Relaxed);
        lock(&shared.peers).insert(cookie, target.asked);
        Crossing {
            shared,
            cookie,
            asker,
            target,
            names,
            upstream: Some(upstream),
            host: None,
            since: Instant::now(),
            said: Said::Nothing,
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            cause: "session",
        }
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record { emitter: &self.shared.emitter }
    }

    /// How long it may be idle.
    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        self.shared.policy.idle_timeout
    }

    /// Bytes went through: they are the calls' that are in flight now, whenever the connection was made.
    pub(super) fn flowed(&self, up: u64, down: u64) {
        self.up.fetch_add(up, Ordering::Relaxed);
        self.down.fetch_add(down, Ordering::Relaxed);
        let address = self.target.address.ip().to_string();
        let host = self.host.as_deref().or(self.target.host.as_deref()).unwrap_or(&address);
        let by = self.target.leaves_this_machine().then_some(self.asker.pid);
        let touch = Touch::Host { host, up, down, by };
        self.shared.emitter.calls().touch(touch);
    }

    /// What it began with was refused: nothing of it goes out.
    pub(super) fn refuse_hello(&mut self, sni: Option<String>, denial: &Denial) {
        self.said = Said::Refused;
        self.record().refuse_hello(&self.asker, &self.target, sni, denial);
    }

    /// A request, after the first, was refused.
    pub(super) fn refuse_request(&self, refusal: &Refusal) {
        let (sni, denial) = explain(refusal, self.target.address.port());
        self.record().refuse_hello(&self.asker, &self.target, sni, &denial);
    }

    /// The line of a connection that is made; with an errno, of one that was not.
    pub(super) fn tell(&mut self, sni: Option<String>, errno: i32) -> bool {
        let target = Target { host: self.host.clone().or(self.target.host.clone()), ..self.target.clone() };
        let told = self.record().connect(&self.asker, &target, Backend::Verify, sni, errno).is_ok();
        self.said = if told && errno == 0 { Said::Made } else { Said::Refused };
        told
    }
}

impl Drop for Crossing {
    fn drop(&mut self) {
        self.shared.live.fetch_sub(1, Ordering::Relaxed);
        lock(&self.shared.peers).remove(&self.cookie);
        // Cut off before its first bytes were judged: it was made all the same, and nothing went out.
        if self.said == Said::Nothing {
            self.tell(None, 0);
        }
        if self.said == Said::Made {
            let ending = Ending {
                host: self.host.clone().or(self.target.host.clone()),
                backend: Backend::Verify,
                up: Some(self.up.load(Ordering::Relaxed)),
                down: Some(self.down.load(Ordering::Relaxed)),
                duration_us: u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX),
                cause: self.cause,
            };
            self.record().close(&self.asker, &self.target, ending);
        }
    }
}

pub(super) fn unreadable() -> Denial {
    never(Reason::NetHelloUnreadable, "what cannot be read cannot be judged")
}

/// A name that is not one of the address's: with the line that would allow it, when it is a name.
pub(super) fn mismatch(reason: Reason, text: String, port: u16) -> (Option<String>, Denial) {
    let denial = match Name::parse(&text) {
        Ok(name) => Denial { reason, ..not_listed(&name, port) },
        Err(_) => never(reason, "it is no name that an entry could list"),
    };
    (Some(text), denial)
}

pub(super) fn explain(refusal: &Refusal, port: u16) -> (Option<String>, Denial) {
    match refusal {
        Refusal::Unreadable => (None, unreadable()),
        Refusal::Host(None) => {
            (None, never(Reason::NetHttpHostMismatch, "the request names no host, or more than one"))
        }
        Refusal::Host(Some(text)) => mismatch(Reason::NetHttpHostMismatch, text.clone(), port),
    }
}
