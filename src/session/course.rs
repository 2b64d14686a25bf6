//! The course of a run: one loop over everything that can happen to it.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::audit::writer::Writer;
use crate::event::{Cause, Emitter, Event, ProcessExit, Rusage, Status, text};
use crate::network;
use crate::notify::{Broker, Settings as BrokerSettings};
use crate::relay::confirm::ways::Asking;
use crate::relay::{self, Ends, Notice, Pinning, Relay};
use crate::sandbox::control::{Order, Report, Step};
use crate::sandbox::rules::Rules;
use crate::sandbox::support::{self, Enforceable};
use crate::session::assemble::Assembly;
use crate::session::{Error, Request, ground, start};
use crate::supervisor::lifecycle::{Action, Input, Lifecycle, State};
use crate::supervisor::{Conversation, Init};
use crate::sys::descriptor;

/// Sent by the kernel when the thread that started us ends; ignored by default, so harmless before it is handled.
pub(super) const PARENT_EXIT: i32 = libc::SIGURG;
/// How long a log may be unwritable before the session ends.
const LONGEST_AUDIT_FAILURE: Duration = Duration::from_secs(30);
/// How often a failing log is tried again.
const AUDIT_RETRY: Duration = Duration::from_secs(1);
/// How long the last bytes may take to a client that has closed its side, or that was told to end.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// Signals that are taken, and passed on.
const SIGNALS: [i32; 6] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// What became of a run.
pub(super) struct Ended {
    pub(super) status: Option<Status>,
    pub(super) cause: Cause,
    pub(super) rusage: Option<Rusage>,
    pub(super) failed: Option<(Step, i32)>,
}

/// One run under way.
pub(super) struct Course<'a> {
    init: &'a mut Init,
    request: &'a Request,
    emitter: &'a Emitter,
    writer: &'a Arc<Writer>,
    conversation: Conversation,
    notices: UnboundedReceiver<Notice>,
    /// Until `session.start` is written: nothing of the client's is read before, so that it is always the first line.
    waiting: Option<(Ends, UnboundedSender<Notice>)>,
    relay: Option<Relay>,
    started: (UnboundedSender<()>, UnboundedReceiver<()>),
    pins: Option<Pinning>,
    rules: Arc<Rules>,
    narrow: Option<Arc<Rules>>,
    enforceable: Enforceable,
    exe_sha256: Option<String>,
    hold_forks: Arc<AtomicBool>,
    lifecycle: Lifecycle,
    parent: u32,
    server: Option<(u32, bool)>,
    listener: Option<std::os::fd::OwnedFd>,
    broker: Option<JoinHandle<std::io::Result<()>>>,
    network: Option<Arc<network::Broker>>,
    status: Option<Status>,
    rusage: Option<Rusage>,
    failed: Option<(Step, i32)>,
    wall: Option<Instant>,
    stdout_ended: bool,
    stderr_ended: bool,
}

/// What woke the loop.
enum Woken {
    Report(Option<Report>),
    Started,
    Notice(Notice),
    Signal(i32),
    Time,
}

impl<'a> Course<'a> {
    /// Sends the plan and starts the relay.
    pub(super) fn begin(
        init: &'a mut Init,
        request: &'a Request,
        assembly: Assembly,
        emitter: &'a Emitter,
        writer: &'a Arc<Writer>,
        exe_sha256: Option<String>,
    ) -> Result<Course<'a>, Error> {
        let parent = super::watch_parent()?;
        Init::adopt_orphans()?;
        let Assembly { plan, rules, narrow, inner, outer, enforceable, pins } = assembly;
        let conversation = init.conversation()?;
        let streams = init.launch(&plan, inner, outer)?;
        let (told, notices) = unbounded_channel();
        let ends = Ends {
            client_in: descriptor::duplicate_above(std::io::stdin().as_fd(), 3)?,
            client_out: descriptor::duplicate_above(std::io::stdout().as_fd(), 3)?,
            client_err: descriptor::duplicate_above(std::io::stderr().as_fd(), 3)?,
            server_in: streams.stdin,
            server_out: streams.stdout,
            server_err: streams.stderr,
        };
        let wall = request.policy.limits.wall_time.map(|time| Instant::now() + time);
        Ok(Course {
            init,
            request,
            emitter,
            writer,
            conversation,
            notices,
            waiting: Some((ends, told)),
            relay: None,
            pins,
            started: unbounded_channel(),
            rules,
            narrow,
            enforceable,
            exe_sha256,
            hold_forks: Arc::new(AtomicBool::new(false)),
            lifecycle: Lifecycle::default(),
            parent,
            server: None,
            listener: None,
            broker: None,
            network: None,
            status: None,
            rusage: None,
            failed: None,
            wall,
            stdout_ended: false,
            stderr_ended: false,
        })
    }

    /// Until nothing of the tree is left.
    pub(super) async fn run(mut self) -> Ended {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return self.broke(&error.to_string()).await,
        };
        loop {
            let deadline = self.deadline();
            let woken = tokio::select! {
                // What the client did comes before what the server did because of it.
                biased;
                Some(notice) = self.notices.recv() => Woken::Notice(notice),
                report = self.conversation.next() => Woken::Report(report.unwrap_or_else(|error| {
                    tracing::error!(%error, "init cannot be understood; its tree is ended");
                    None
                })),
                Some(()) = self.started.1.recv() => Woken::Started,
                number = signals.next() => Woken::Signal(number),
                () = until(deadline) => Woken::Time,
            };
            let action = match woken {
                Woken::Report(Some(Report::Gone)) => break,
                Woken::Report(None) => {
                    self.orphaned();
                    break;
                }
                Woken::Report(Some(report)) => self.report(report),
                Woken::Started => self.start_relay(),
                Woken::Notice(notice) => self.notice(notice),
                Woken::Signal(PARENT_EXIT) => self.parent_exit(),
                Woken::Signal(number) => self.lifecycle.on(Input::Signal(number), Instant::now()),
                Woken::Time => self.time(),
            };
            self.act(action);
        }
        self.finish().await
    }

    fn deadline(&self) -> Option<Instant> {
        let audit = self.writer.failing_since().map(|_| Instant::now() + AUDIT_RETRY);
        [self.lifecycle.deadline(), self.wall, audit].into_iter().flatten().min()
    }

    fn report(&mut self, report: Report) -> Action {
        match report {
            Report::Started { pid, bounding_dropped } => self.server = Some((pid, bounding_dropped)),
            Report::Listener(listener) => self.listener = Some(listener),
            Report::Failed { step, errno } => self.failed = Some((step, errno)),
            Report::Exited { status, rusage } => {
                self.status = Some(status);
                self.rusage = Some(rusage);
                return self.lifecycle.on(Input::ServerEnded, Instant::now());
            }
            Report::Gone => {}
        }
        // The two come from two processes, in any order.
        let Some((_, bounding_dropped)) = self.server else { return Action::None };
        let Some(listener) = self.listener.take() else { return Action::None };
        if let Err(error) = self.start_broker(listener, bounding_dropped) {
            // Without a broker every notification fails: the server cannot start. End it at once.
            tracing::error!(%error, "the notification broker could not be started");
            return Action::Kill;
        }
        Action::None
    }

    fn start_broker(
        &mut self,
        listener: std::os::fd::OwnedFd,
        bounding_dropped: bool,
    ) -> Result<(), std::io::Error> {
        let network = self.start_network()?;
        let started = start::session_start(
            self.request,
            self.emitter.redact(),
            &self.enforceable,
            bounding_dropped,
            self.exe_sha256.take(),
            &network,
        );
        let (emitter, written) = (self.emitter.clone(), self.started.0.clone());
        let settings = BrokerSettings {
            rules: Arc::clone(&self.rules),
            narrow: self.narrow.clone(),
            context: self.request.context.clone(),
            sockets: self.request.policy.network.unix.iter().map(|grant| grant.path.clone()).collect(),
            processes: self.request.policy.limits.processes,
            init: self.init.pid(),
            server: self.server.map(|(pid, _)| pid).unwrap_or_default(),
            scopes: self.enforceable.scopes,
            hold_forks: Arc::clone(&self.hold_forks),
            network: self.network.clone(),
            has_network: !self.request.policy.network.is_empty(),
            lists_proc: self.request.policy.process.nested_seccomp,
            first: Box::new(move || {
                emitter.emit(&Event::SessionStart(Box::new(started)))?;
                // A session that no longer listens is ending.
                let _ = written.send(());
                Ok(())
            }),
        };
        let broker = Broker::new(listener, self.emitter.clone(), settings)?;
        let thread = std::thread::Builder::new().name("notify".into()).spawn(move || broker.serve())?;
        self.broker = Some(thread);
        Ok(())
    }

    /// The way out, where the profile has one and this machine lets us act on the server's sockets.
    fn start_network(&mut self) -> Result<start::Network, std::io::Error> {
        let policy = &self.request.policy.network;
        if policy.is_empty() {
            return Ok(start::Network::None);
        }
        let server = self.server.map(|(pid, _)| pid).unwrap_or_default();
        if let Err(why) = support::may_copy_descriptors(server) {
            return Ok(start::Network::Unavailable(why));
        }
        self.network = Some(network::Broker::start(policy.clone(), self.emitter.clone())?);
        Ok(start::Network::AllowList)
    }

    fn start_relay(&mut self) -> Action {
        let Some((ends, told)) = self.waiting.take() else { return Action::None };
        let request = self.request;
        let asking = Asking::of(&request.policy, &request.server, request.runtime_dir.clone());
        let settings =
            relay::Settings::new(&request.policy, ground::ground(request), self.pins.take(), asking);
        match relay::start(ends, &settings, self.emitter.clone(), told) {
            Ok(relay) => {
                self.relay = Some(relay);
                crate::sys::memory::give_back();
                Action::None
            }
            Err(error) => {
                tracing::error!(%error, "the relay could not be started: the server is ended");
                Action::Kill
            }
        }
    }

    fn notice(&mut self, notice: Notice) -> Action {
        let now = Instant::now();
        match notice {
            Notice::ClientClosed => self.lifecycle.on(Input::ClientClosed, now),
            Notice::ClientGone => self.lifecycle.on(Input::ClientGone, now),
            Notice::AuditFailed { detail } => {
                tracing::error!(%detail, "the log cannot be written: calls are refused until it can");
                Action::None
            }
            Notice::AuditRestored => {
                tracing::warn!("the log can be written again");
                Action::None
            }
            Notice::ServerStdoutClosed => {
                self.stdout_ended = true;
                Action::None
            }
            Notice::ServerStderrClosed => {
                self.stderr_ended = true;
                Action::None
            }
            Notice::ServerStdinClosed => Action::None,
        }
    }

    /// A thread of the client's ended; only when it was the client itself does that mean anything.
    fn parent_exit(&mut self) -> Action {
        let parent = nix::unistd::getppid().as_raw().unsigned_abs();
        if parent == self.parent {
            return Action::None;
        }
        if let Some(relay) = &self.relay {
            relay.close_server_stdin();
        }
        self.lifecycle.on(Input::ClientGone, Instant::now())
    }

    fn time(&mut self) -> Action {
        let now = Instant::now();
        if self.wall.is_some_and(|wall| now >= wall) {
            self.wall = None;
            tracing::warn!("limits.wall_time is over: the server is ended");
            return self.lifecycle.on(Input::WallTime, now);
        }
        if let Some(since) = self.writer.failing_since() {
            let _ = self.writer.retry();
            if self.writer.failing_since().is_some() && since.elapsed() >= LONGEST_AUDIT_FAILURE {
                return self.lifecycle.on(Input::AuditFailed, now);
            }
        }
        self.lifecycle.on(Input::Tick { unanswered: self.relay.as_ref().map_or(0, Relay::unanswered) }, now)
    }

    /// `init` did not end in order: somebody killed it, or it cannot be understood. Nothing may be left of its tree.
    fn orphaned(&mut self) {
        if self.failed.is_none() && self.status.is_none() {
            tracing::error!("the sandbox's first process is gone; what was left of its tree was ended");
        }
        self.hold_forks.store(true, Ordering::Release);
        self.init.end_orphans();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::None => {}
            Action::Signal(number) => self.init.order(&Order::Signal(number)),
            Action::Kill => {
                self.hold_forks.store(true, Ordering::Release);
                self.init.order(&Order::Kill);
            }
        }
    }

    /// The tree is gone: what it wrote still reaches the client, then the log is closed.
    async fn finish(mut self) -> Ended {
        self.last_bytes().await;
        if let Some(broker) = self.broker.take() {
            match broker.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the notification broker ended early"),
                Err(_) => tracing::error!("the notification broker ended in a panic"),
            }
        }
        // Nobody is left who could use them.
        if let Some(network) = &self.network {
            network.stop();
        }
        if let Some(Err(unwritable)) = self.relay.as_ref().map(Relay::finish) {
            tracing::error!(%unwritable, "the end of the calls is not in the log");
        }
        if let Some((pid, _)) = self.server {
            let exe = text(self.request.command.target.as_os_str().as_encoded_bytes()).into_owned();
            let ppid = self.init.pid();
            let exit = ProcessExit { pid, ppid, exe, status: self.status, rusage: self.rusage };
            let _ = self.emitter.emit(&Event::ProcessExit(exit));
        }
        let failed_early = self.status.is_none() && self.lifecycle.state() != State::Ended;
        let cause = match self.lifecycle.cause() {
            Cause::ServerExit if failed_early => Cause::SupervisorError,
            cause => cause,
        };
        Ended { status: self.status, cause, rusage: self.rusage, failed: self.failed }
    }

    /// Everything of the server's stdout is in our pipe by now. A living client gets it however slow it reads; one
    /// that closed its side, or that had the session ended, gets a moment. So does whoever reads stderr: a server's last
    /// words are there, but a reader that never comes must not hold us.
    async fn last_bytes(&mut self) {
        let mut limit = (self.lifecycle.cause() != Cause::ServerExit).then(|| Instant::now() + LAST_BYTES);
        let mut signals = Signals::new().ok();
        // A server that ended at once may have written all the same.
        if self.status.is_some() {
            let _ = self.start_relay();
        }
        self.stdout_ended |= self.relay.is_none();
        self.stderr_ended |= self.relay.is_none();
        while !(self.stdout_ended && self.stderr_ended) {
            if self.stdout_ended {
                limit.get_or_insert(Instant::now() + LAST_BYTES);
            }
            tokio::select! {
                notice = self.notices.recv() => match notice {
                    Some(Notice::ClientGone) | None => return,
                    Some(Notice::ClientClosed) => {
                        limit.get_or_insert(Instant::now() + LAST_BYTES);
                    }
                    Some(notice) => {
                        let _ = self.notice(notice);
                    }
                },
                () = interrupted(signals.as_mut()) => return,
                () = until(limit) => return,
            }
        }
    }

    async fn broke(mut self, why: &str) -> Ended {
        tracing::error!(why, "signals cannot be taken");
        self.orphaned();
        Ended { status: None, cause: Cause::SupervisorError, rusage: None, failed: None }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn interrupted(signals: Option<&mut Signals>) {
    let Some(signals) = signals else { return std::future::pending().await };
    loop {
        let number = signals.next().await;
        if matches!(number, libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT) {
            return;
        }
    }
}

/// All signals that are taken.
struct Signals {
    streams: Vec<(i32, Signal)>,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        let streams = SIGNALS
            .iter()
            .chain(&[PARENT_EXIT])
            .map(|number| Ok((*number, signal(SignalKind::from_raw(*number))?)))
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok(Signals { streams })
    }

    /// The next one. Safe to drop while it waits.
    async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, stream) in &mut self.streams {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}
