//! The handle through which every floor above speaks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::journal::{Journal, LONGEST_WAIT, Step};
use crate::event::{Event, Redact};
use crate::policy::calls::InFlight;

/// The log cannot be written: whoever hears this refuses what it was about to allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be written: {detail}")]
pub struct Unwritable {
    /// What the kernel said.
    pub detail: String,
}

/// Where events go. `audit` implements it; tests implement it with a list.
pub trait Sink: Send + Sync {
    /// Appends one event; with `Urgency::BeforeEffect` it is with the kernel when this returns.
    /// Returns its `seq`.
    fn append(&self, event: &Event) -> Result<u64, Unwritable>;

    /// Writes what is batched.
    fn flush(&self) -> Result<(), Unwritable>;

    /// The session's id.
    fn session(&self) -> &str;

    /// What takes secrets out of text that goes elsewhere too, or that is cut before it becomes an event. Every line
    /// is gone through in any case.
    fn redact(&self) -> &dyn Redact;
}

/// Cheap to clone, usable from any thread. Order is kept: what waits is written before what comes after it.
#[derive(Clone)]
pub struct Emitter {
    sink: Arc<dyn Sink>,
    calls: Arc<InFlight>,
    journal: Arc<Mutex<Journal>>,
    lost: Arc<AtomicU64>,
    failing: Arc<AtomicBool>,
}

impl Emitter {
    /// An emitter into `sink`, with no call in flight.
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Emitter {
            sink,
            calls: Arc::new(InFlight::default()),
            journal: Arc::new(Mutex::new(Journal::new(Instant::now()))),
            lost: Arc::new(AtomicU64::new(0)),
            failing: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Takes one event: writes it now, or lets it wait to be folded with its repeats (never longer than 100 ms,
    /// if [`Emitter::due`] is heeded). Returns its `seq`, 0 while it waits.
    pub fn emit(&self, event: &Event) -> Result<u64, Unwritable> {
        let mut journal = self.lock();
        // While the log cannot be written nothing waits: whoever asks must hear it before it acts.
        if self.failing.load(Ordering::Relaxed) {
            return self.heard(self.write(journal.drain()).and_then(|()| self.sink.append(event)));
        }
        match journal.take(event, Instant::now()) {
            Step::Wait => Ok(0),
            Step::Dropped => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                Ok(0)
            }
            Step::Write => {
                // The lock is held, so that nothing overtakes what waited.
                self.heard(self.write(journal.drain()).and_then(|()| self.sink.append(event)))
            }
        }
    }

    /// Whether the log takes anything: asked before something is done that can be told only afterwards.
    pub fn ready(&self) -> Result<(), Unwritable> {
        if self.failing.load(Ordering::Relaxed) { self.flush() } else { Ok(()) }
    }

    /// Writes what waits and what is batched.
    pub fn flush(&self) -> Result<(), Unwritable> {
        let mut journal = self.lock();
        self.heard(self.write(journal.drain()).and_then(|()| self.sink.flush()))
    }

    /// Remembers whether the log could be written.
    fn heard<T>(&self, outcome: Result<T, Unwritable>) -> Result<T, Unwritable> {
        self.failing.store(outcome.is_err(), Ordering::Relaxed);
        outcome
    }

    /// Every one is offered, whatever happens to those before it; what is not taken is counted.
    fn write(&self, waited: Vec<Event>) -> Result<(), Unwritable> {
        let mut outcome = Ok(());
        for event in waited {
            if let Err(unwritable) = self.sink.append(&event) {
                self.lost.fetch_add(1, Ordering::Relaxed);
                outcome = Err(unwritable);
            }
        }
        outcome
    }

    /// How long until [`Emitter::flush`] is due; `None` while nothing waits.
    pub fn due(&self) -> Option<Duration> {
        let since = self.lock().waiting_since()?;
        Some(LONGEST_WAIT.saturating_sub(since.elapsed()))
    }

    /// Events dropped at the cap so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The session's name.
    pub fn session(&self) -> &str {
        self.sink.session()
    }

    /// `<session>:<seq>`, the name of one event.
    pub fn event_id(&self, seq: u64) -> String {
        format!("{}:{seq}", self.sink.session())
    }

    /// Takes the session's secrets out of text.
    pub fn redact(&self) -> &dyn Redact {
        self.sink.redact()
    }

    /// The calls in flight.
    pub fn calls(&self) -> &InFlight {
        &self.calls
    }

    fn lock(&self) -> MutexGuard<'_, Journal> {
        // A panic between two statements of the journal loses at most a fold, never an order.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{StdoutNoise, SyscallDenied};
    use crate::policy::calls::Attribution;
    use crate::policy::reason::Reason;
    use crate::policy::verdict::Layer;

    /// A log on a disk that can be full.
    #[derive(Default)]
    struct Disk {
        full: AtomicBool,
    }

    impl Sink for Disk {
        fn append(&self, _: &Event) -> Result<u64, Unwritable> {
            if self.full.load(Ordering::Relaxed) { Err(Unwritable { detail: "full".into() }) } else { Ok(1) }
        }

        fn flush(&self) -> Result<(), Unwritable> {
            Ok(())
        }

        fn session(&self) -> &str {
            "s"
        }

        fn redact(&self) -> &dyn Redact {
            &crate::event::redact::Unchanged
        }
    }

    fn denied() -> Event {
        Event::SyscallDenied(Box::new(SyscallDenied {
            syscall: "ptrace",
            nr: 101,
            args: [0; 6],
            reason: Reason::SyscallForeignProcess,
            layer: Layer::Broker,
            remedy: None,
            why_not: None,
            errno: "EPERM",
            pid: 1,
            exe: "/bin/x".into(),
            calls: vec![],
            attribution: Attribution::None,
            count: 1,
        }))
    }

    #[test]
    fn while_the_log_is_unwritable_nothing_waits() {
        let disk = Arc::new(Disk::default());
        let emitter = Emitter::new(Arc::clone(&disk) as Arc<dyn Sink>);
        assert!(emitter.emit(&denied()).is_ok());
        assert_eq!(emitter.emit(&denied()).unwrap(), 0, "a repeat waits");
        disk.full.store(true, Ordering::Relaxed);
        let other = Event::StdoutNoise(StdoutNoise { bytes: 1, excerpt: "x".into() });
        assert!(emitter.emit(&other).is_err());
        assert!(emitter.emit(&denied()).is_err(), "what would have waited hears it too");
        disk.full.store(false, Ordering::Relaxed);
        assert!(emitter.emit(&denied()).is_ok());
        assert!(emitter.emit(&other).is_ok());
    }
}
