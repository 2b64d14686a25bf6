//! The stdio relay: three plain threads that pass lines on, and ask the gate about each; a fourth that ends calls that take
//! too long, and says to the server what waits until it reads.
//!
//! Client to server, server to client, and stderr each have a thread that blocks in read(2) and write(2). That is not
//! for lack of an async runtime: O_NONBLOCK may not be set on the inherited stdin and stdout, a hop between threads
//! costs each message a context switch, and blocking is the back-pressure. Each direction holds one message.
//!
//! The invariants: what is forwarded are the original bytes, in order; a line that was not judged is not forwarded;
//! what the log has to say about a message is with the kernel before the message is; no thread waits for stderr but
//! the one whose job that is. Only empty lines pass unjudged, as they were.

mod alarm;
mod client;
mod complaints;
pub mod confirm;
mod deadline;
mod excerpt;
mod meter;
mod notifications;
pub mod pinned;
mod pins;
mod pipe;
mod pump;
mod record;
mod server;
mod shared;
mod stderr;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use crate::event::{Emitter, Outcome, Unwritable};
use crate::mcp::arguments::ground::Ground;
use crate::mcp::gate::{self, Gate};
use crate::mcp::pins::known::Known;
use crate::mcp::pins::watch::Watch;
use crate::mcp::refusal::CLIENT_LIMIT;
use crate::policy::tools::Tools;
use crate::policy::{Audit, Pins, Policy, Protocol};
use crate::relay::alarm::Alarm;
use crate::relay::client::FromClient;
use crate::relay::complaints::Complaints;
use crate::relay::confirm::ways::{Asking, Confirm};
use crate::relay::meter::Meter;
use crate::relay::notifications::Notifications;
use crate::relay::pinned::Store;
use crate::relay::record::{Ending, Recorder};
use crate::relay::server::FromServer;
use crate::relay::shared::{ClientOut, ServerIn, Shared};
use crate::relay::stderr::Stderr;

/// The stack of each thread. No depth of nesting uses stack.
const STACK: usize = 256 * 1024;

/// The six ends. Those of the server are our ends of fresh pipes.
#[derive(Debug)]
pub struct Ends {
    /// Our stdin.
    pub client_in: OwnedFd,
    /// Our stdout.
    pub client_out: OwnedFd,
    /// Our stderr.
    pub client_err: OwnedFd,
    /// What the server reads as its stdin.
    pub server_in: OwnedFd,
    /// What the server writes as its stdout.
    pub server_out: OwnedFd,
    /// What the server writes as its stderr.
    pub server_err: OwnedFd,
}

/// The parts of a policy that messages are judged by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which tools may be called.
    pub tools: Tools,
    /// Limits and strictness.
    pub protocol: Protocol,
    /// What the paths in arguments are compared with.
    pub ground: Ground,
    /// What is recorded of arguments, and what happens when it cannot be.
    pub audit: Audit,
    /// What the server's definitions are compared with; `None`: nothing.
    pub pins: Option<Pinning>,
    /// How a person is asked; `None`: no call waits for one.
    pub confirm: Option<Asking>,
}

/// What is pinned of a server, and where that stands.
#[derive(Debug, Clone)]
pub struct Pinning {
    /// The pin file.
    pub store: Store,
    /// What it held when the session began.
    pub known: Known,
    /// The server's name.
    pub server: String,
    /// Whether what changed is held back.
    pub enforce: bool,
}

impl Pinning {
    /// Reads what is pinned, where the policy wants it.
    ///
    /// # Errors
    /// A pin file that cannot be read or understood.
    pub fn of(policy: &Policy, state: &Path, server: &str) -> Result<Option<Self>, pinned::Error> {
        if policy.pins == Pins::Off {
            return Ok(None);
        }
        let store = Store::new(state, server);
        let known = store.read()?.unwrap_or_default();
        Ok(Some(Pinning { store, known, server: server.to_owned(), enforce: policy.pins == Pins::Enforce }))
    }
}

impl Settings {
    /// The parts of `policy`, with what only the session knows.
    pub fn new(policy: &Policy, ground: Ground, pins: Option<Pinning>, confirm: Option<Asking>) -> Self {
        Settings {
            tools: policy.tools.clone(),
            protocol: policy.protocol.clone(),
            audit: policy.audit.clone(),
            ground,
            pins,
            confirm,
        }
    }
}

/// What the session learns from the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The client closed our stdin; everything before was forwarded, and the server's stdin is closed.
    ClientClosed,
    /// Nobody reads our stdout any more.
    ClientGone,
    /// The server takes no more input.
    ServerStdinClosed,
    /// The server's stdout has ended; everything before was forwarded.
    ServerStdoutClosed,
    /// The server's stderr has ended.
    ServerStderrClosed,
    /// The log cannot be written since now.
    AuditFailed {
        /// What the kernel said.
        detail: String,
    },
    /// The log can be written again.
    AuditRestored,
}

/// Why the relay could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy cannot be judged by.
    #[error(transparent)]
    Gate(#[from] gate::Error),
    /// A descriptor or a thread could not be had.
    #[error("the relay could not be started: {0}")]
    Start(#[from] io::Error),
}

/// A relay that runs.
pub struct Relay {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Ends calls that take too long, and says to the server what waits until it reads.
    watch: JoinHandle<()>,
}

/// Starts relaying.
///
/// # Errors
/// A pattern of `tools.deny` that is no glob; no thread or descriptor to be had. Nothing was forwarded then.
pub fn start(
    ends: Ends,
    settings: &Settings,
    emitter: Emitter,
    notices: UnboundedSender<Notice>,
) -> Result<Relay, Error> {
    let client_out = File::from(ends.client_out);
    let mut gate = Gate::new(&settings.tools, &settings.protocol, settings.ground.clone())?;
    if let Some(Pinning { known, server, enforce, .. }) = &settings.pins {
        gate.watch(Watch::new(server, *enforce, known.clone()));
    }
    if let Some(asking) = &settings.confirm {
        gate.confirm(&confirm::ways::key()?, asking.timeout(), Instant::now());
    }
    let confirm = settings.confirm.as_ref().map(|asking| Confirm::new(asking, emitter.session()));
    let shared = Arc::new(Shared {
        gate: Mutex::new(gate),
        record: Recorder::new(emitter, &settings.audit, notices.clone()),
        meter: Mutex::new(Meter::new(Instant::now())),
        notifications: Mutex::new(Notifications::new(Instant::now())),
        server: ServerIn::new(File::from(ends.server_in), client_out.try_clone()?)?,
        client: ClientOut::new(client_out),
        stderr: Stderr::new(File::from(ends.client_err)),
        alarm: Alarm::new()?,
        notices,
        pins: settings.pins.as_ref().map(|pins| (pins.store.clone(), pins.enforce)),
        confirm,
        open: RwLock::new(true),
    });
    confirm::serve(&shared);
    let max_message = settings.protocol.max_message;
    let (from_client, from_server) = (File::from(ends.client_in), File::from(ends.server_out));
    let mut to_server = FromClient::new(Arc::clone(&shared), max_message);
    let to_client_limit = max_message.min(CLIENT_LIMIT);
    let mut to_client = FromServer::new(Arc::clone(&shared), to_client_limit, settings.protocol.stdout);
    let (stderr, recorded) = (File::from(ends.server_err), settings.audit.stderr);
    let mut threads = Vec::with_capacity(3);
    threads.push(spawn("relay-in", &shared, move |shared| {
        let pumped = pump::pump(&from_client, length(max_message), &mut to_server);
        confirm::give_up(shared);
        // Told before the server can know, so that its end is the client's doing in the log. An error here is an
        // answer that could not be written; that was told.
        if pumped.is_ok() {
            shared.notify(Notice::ClientClosed);
        }
        shared.close_server();
    })?);
    threads.push(spawn("relay-out", &shared, move |shared| {
        let pumped = pump::pump(&from_server, length(to_client_limit), &mut to_client);
        // Closed before it is told: the server learns by EPIPE, as it would from the client.
        drop(from_server);
        shared.notify(if pumped.is_ok() { Notice::ServerStdoutClosed } else { Notice::ClientGone });
    })?);
    threads.push(spawn("relay-err", &shared, move |shared| {
        let mut complaints = recorded.then(Complaints::new);
        let seen = |piece: &[u8]| {
            if let Some(complaints) = &mut complaints {
                complaints.seen(shared, piece);
            }
        };
        if let Err(error) = shared.stderr.pass_on(&stderr, seen) {
            tracing::warn!(%error, "the server's stderr could not be read and counts as ended");
        }
        shared.notify(Notice::ServerStderrClosed);
    })?);
    let watch = spawn("relay-time", &shared, deadline::watch)?;
    Ok(Relay { shared, threads, watch })
}

/// A limit as a length in memory.
fn length(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce(&Shared) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    Builder::new().name(name.into()).stack_size(STACK).spawn(move || run(&shared))
}

impl Relay {
    /// Closes the server's stdin, whatever the client does. What is being written is written first.
    pub fn close_server_stdin(&self) {
        self.shared.close_server();
    }

    /// Requests of the client's that the server still owes an answer.
    pub fn unanswered(&self) -> usize {
        self.shared.gate().unanswered()
    }

    /// Ends the relay's part of the log: calls that nobody answered, what was lost. No message is judged, forwarded
    /// or recorded after this. Does not wait for threads that wait for a peer; calling it again does nothing.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn finish(&self) -> Result<(), Unwritable> {
        self.shared.close();
        self.shared.alarm.wake();
        confirm::finish(&self.shared);
        let unanswered = self.shared.gate().drain();
        let ended = unanswered
            .iter()
            .map(|call| self.shared.call_ends(call, Ending::silent(Outcome::Unanswered)))
            .fold(Ok(()), Result::and);
        let lost = self.shared.meter().take_lost();
        self.shared.record.lost(lost);
        self.shared.record.lost_notifications(self.shared.notifications().take_lost());
        ended.and(self.shared.record.flush())
    }

    /// Waits until all three streams have ended. For a session whose peers are known to be gone.
    pub fn join(self) {
        let Relay { shared, threads, watch } = self;
        for thread in threads {
            // A panic outside of a judgement was reported by the panic hook; the stream counts as ended.
            let _ = thread.join();
        }
        shared.close();
        shared.alarm.wake();
        let _ = watch.join();
    }
}
