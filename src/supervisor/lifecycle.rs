//! When a running server is asked to end, told to, and made to: an enum and a function.
//!
//! ```text
//! running ── client closed ──► draining ── grace over ──► terminating ── grace over ──► killing ──► ended
//!    │                            ▲ longer while answers are owed                          ▲
//!    ├── signal, wall time, log lost ───────────────────► terminating ─────────────────────┘
//!    └── the server ends by itself ──────────────────────────────────────────────────────► ended
//! ```
//! Both graces together stay below the two seconds after which clients start to kill.

use std::time::{Duration, Instant};

use crate::event::Cause;

/// From the end of stdin to SIGTERM.
pub const DRAIN_GRACE: Duration = Duration::from_millis(900);
/// The same while requests of the client's are unanswered: it may have piped them in and waits for the answers.
pub const ANSWER_GRACE: Duration = Duration::from_secs(10);
/// From SIGTERM to SIGKILL.
pub const TERM_GRACE: Duration = Duration::from_millis(600);

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Serving.
    Running,
    /// Its stdin is closed; it may finish.
    Draining,
    /// It got a signal to end.
    Terminating,
    /// Everything of it is being killed.
    Killing,
    /// Its own process is gone.
    Ended,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The client closed our stdin, or is gone.
    ClientClosed,
    /// Nobody reads our stdout any more.
    ClientGone,
    /// We got this signal.
    Signal(i32),
    /// `limits.wall_time` is over.
    WallTime,
    /// The log could not be written for too long.
    AuditFailed,
    /// The server's own process ended.
    ServerEnded,
    /// Time passed; requests that are still unanswered.
    Tick {
        /// How many.
        unanswered: usize,
    },
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Pass this signal to the server's own process.
    Signal(i32),
    /// End the whole tree.
    Kill,
}

/// One run's way to its end.
#[derive(Debug)]
pub struct Lifecycle {
    state: State,
    cause: Option<Cause>,
    drain_since: Option<Instant>,
    deadline: Option<Instant>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Lifecycle { state: State::Running, cause: None, drain_since: None, deadline: None }
    }
}

impl Lifecycle {
    /// Where the run is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why it ends; `ServerExit` when nobody else had a reason before.
    pub fn cause(&self) -> Cause {
        self.cause.unwrap_or(Cause::ServerExit)
    }

    /// When a [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes one input.
    pub fn on(&mut self, input: Input, now: Instant) -> Action {
        match (input, self.state) {
            (_, State::Ended) => Action::None,
            (Input::ServerEnded, _) => {
                self.state = State::Ended;
                self.deadline = None;
                Action::None
            }
            (Input::Tick { unanswered }, _) => self.tick(unanswered, now),
            (Input::ClientClosed, State::Running) => {
                self.because(Cause::ClientClosed);
                self.state = State::Draining;
                self.drain_since = Some(now);
                self.deadline = Some(now + DRAIN_GRACE);
                Action::None
            }
            (Input::ClientClosed, _) => Action::None,
            (Input::ClientGone, State::Running | State::Draining) => {
                self.because(Cause::ClientClosed);
                self.terminate(libc::SIGTERM, now)
            }
            (Input::Signal(signal), _) => self.signalled(signal, now),
            (Input::WallTime, State::Running | State::Draining) => {
                self.because(Cause::Timeout);
                self.terminate(libc::SIGTERM, now)
            }
            (Input::AuditFailed, State::Running | State::Draining) => {
                self.because(Cause::AuditFailed);
                self.terminate(libc::SIGTERM, now)
            }
            _ => Action::None,
        }
    }

    /// Signals that mean "end" start the way down; others are only passed on.
    fn signalled(&mut self, signal: i32, now: Instant) -> Action {
        let ends = matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT);
        if !ends || self.state == State::Killing {
            return Action::Signal(signal);
        }
        self.because(Cause::Killed);
        if self.state == State::Terminating {
            // Asked again: the grace goes on, the server hears it again.
            return Action::Signal(signal);
        }
        self.terminate(signal, now)
    }

    fn tick(&mut self, unanswered: usize, now: Instant) -> Action {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Action::None;
        }
        match self.state {
            State::Draining => {
                let waited = self.drain_since.map_or(Duration::MAX, |since| now.duration_since(since));
                if unanswered > 0 && waited < ANSWER_GRACE {
                    self.deadline = Some(now + Duration::from_millis(50));
                    return Action::None;
                }
                self.terminate(libc::SIGTERM, now)
            }
            State::Terminating => {
                self.state = State::Killing;
                self.deadline = None;
                Action::Kill
            }
            _ => Action::None,
        }
    }

    fn terminate(&mut self, signal: i32, now: Instant) -> Action {
        self.state = State::Terminating;
        self.deadline = Some(now + TERM_GRACE);
        Action::Signal(signal)
    }

    fn because(&mut self, cause: Cause) {
        self.cause.get_or_insert(cause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(run: &mut Lifecycle, now: Instant, unanswered: usize) -> Action {
        run.on(Input::Tick { unanswered }, now)
    }

    #[test]
    fn a_closed_client_leads_to_sigterm_and_then_to_the_end() {
        let (mut run, start) = (Lifecycle::default(), Instant::now());
        assert_eq!(run.on(Input::ClientClosed, start), Action::None);
        assert_eq!(tick(&mut run, start, 0), Action::None);
        let over = start + DRAIN_GRACE;
        assert_eq!(tick(&mut run, over, 0), Action::Signal(libc::SIGTERM));
        assert_eq!(tick(&mut run, over + TERM_GRACE, 0), Action::Kill);
        assert_eq!(run.on(Input::ServerEnded, over + TERM_GRACE), Action::None);
        assert_eq!((run.state(), run.cause()), (State::Ended, Cause::ClientClosed));
        assert!(DRAIN_GRACE + TERM_GRACE < Duration::from_secs(2));
    }

    #[test]
    fn answers_that_are_owed_are_waited_for() {
        let (mut run, start) = (Lifecycle::default(), Instant::now());
        run.on(Input::ClientClosed, start);
        assert_eq!(tick(&mut run, start + DRAIN_GRACE, 1), Action::None);
        let answered = start + DRAIN_GRACE + Duration::from_millis(60);
        assert_eq!(tick(&mut run, answered, 0), Action::Signal(libc::SIGTERM));
        let mut stuck = Lifecycle::default();
        stuck.on(Input::ClientClosed, start);
        tick(&mut stuck, start + DRAIN_GRACE, 1);
        assert_eq!(tick(&mut stuck, start + ANSWER_GRACE, 1), Action::Signal(libc::SIGTERM));
    }

    #[test]
    fn the_first_cause_stays() {
        let (mut run, now) = (Lifecycle::default(), Instant::now());
        assert_eq!(run.on(Input::WallTime, now), Action::Signal(libc::SIGTERM));
        assert_eq!(run.on(Input::Signal(libc::SIGINT), now), Action::Signal(libc::SIGINT));
        run.on(Input::ServerEnded, now);
        assert_eq!(run.cause(), Cause::Timeout);
    }

    #[test]
    fn harmless_signals_are_passed_on() {
        let (mut run, now) = (Lifecycle::default(), Instant::now());
        assert_eq!(run.on(Input::Signal(libc::SIGUSR1), now), Action::Signal(libc::SIGUSR1));
        assert_eq!((run.state(), run.deadline()), (State::Running, None));
    }

    #[test]
    fn a_server_that_ends_by_itself_is_no_fault() {
        let mut run = Lifecycle::default();
        run.on(Input::ServerEnded, Instant::now());
        assert_eq!(run.cause(), Cause::ServerExit);
    }
}
