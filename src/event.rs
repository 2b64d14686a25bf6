//! The vocabulary of the log, and the [`Emitter`] through which every floor above speaks.
//!
//! Everyone emits, only `audit` writes. Field names and their order are fixed: tests and readers outside this
//! repository use them. Paths that are not UTF-8 are shown with `\xNN` for each stray byte ([`text`]).

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::policy::calls::{Attribution, InFlight, Summary};
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Ruling};

/// One thing that happened. The name in the log is [`Event::name`]; the fields are those of the payload.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// `session.start`: always `seq` 1.
    SessionStart(Box<SessionStart>),
    /// `session.exe`: the digest of the program, when it was not known at the start.
    SessionExe(SessionExe),
    /// `session.end`: the last line of a session that ended in order.
    SessionEnd(Box<SessionEnd>),
    /// `process.start`: a program was executed.
    ProcessStart(ProcessStart),
    /// `process.exit`.
    ProcessExit(ProcessExit),
    /// `call.start`: written before the call reaches the server.
    CallStart(Box<CallStart>),
    /// `call.end`: written before the answer reaches the client.
    CallEnd(Box<CallEnd>),
    /// `file.access`.
    FileAccess(Box<FileAccess>),
    /// `syscall.denied`.
    SyscallDenied(Box<SyscallDenied>),
    /// `network.connect`: while there is no network, only denials.
    NetworkConnect(Box<NetworkConnect>),
    /// `socket.unix`.
    SocketUnix(Box<SocketUnix>),
    /// `message.denied`.
    MessageDenied(Box<MessageDenied>),
    /// `stdout.noise`: a line of the server's that is not a message.
    StdoutNoise(StdoutNoise),
    /// `audit.degraded`.
    AuditDegraded(AuditDegraded),
    /// `audit.lost`.
    AuditLost(AuditLost),
}

/// When an event has to be with the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Before the thing that it tells of takes effect.
    BeforeEffect,
    /// Before the end of the call that it belongs to, or within 100 ms.
    Batched,
}

impl Event {
    /// The value of the `event` field.
    pub fn name(&self) -> &'static str {
        match self {
            Event::SessionStart(_) => "session.start",
            Event::SessionExe(_) => "session.exe",
            Event::SessionEnd(_) => "session.end",
            Event::ProcessStart(_) => "process.start",
            Event::ProcessExit(_) => "process.exit",
            Event::CallStart(_) => "call.start",
            Event::CallEnd(_) => "call.end",
            Event::FileAccess(_) => "file.access",
            Event::SyscallDenied(_) => "syscall.denied",
            Event::NetworkConnect(_) => "network.connect",
            Event::SocketUnix(_) => "socket.unix",
            Event::MessageDenied(_) => "message.denied",
            Event::StdoutNoise(_) => "stdout.noise",
            Event::AuditDegraded(_) => "audit.degraded",
            Event::AuditLost(_) => "audit.lost",
        }
    }

    /// Allowed file accesses and noise are batched; everything else is written before it takes effect.
    pub fn urgency(&self) -> Urgency {
        match self {
            Event::FileAccess(access) if access.verdict == Ruling::Allow => Urgency::Batched,
            Event::StdoutNoise(_) | Event::AuditLost(_) => Urgency::Batched,
            _ => Urgency::BeforeEffect,
        }
    }

    /// Whether this counts as a denial in `session.end` and `--denied`.
    pub fn is_denial(&self) -> bool {
        match self {
            Event::FileAccess(access) => access.verdict == Ruling::Deny,
            Event::NetworkConnect(connect) => connect.verdict == Ruling::Deny,
            Event::SocketUnix(socket) => socket.verdict == Ruling::Deny,
            Event::SyscallDenied(_) | Event::MessageDenied(_) => true,
            _ => false,
        }
    }
}

/// `session.start`.
#[derive(Debug, Clone, Serialize)]
pub struct SessionStart {
    /// The command as given, as one line for people.
    pub command: String,
    /// Its words.
    pub argv: Vec<String>,
    /// The program that the command resolved to (symlinks followed).
    pub exe: String,
    /// SHA-256 of it in hex, when it was known without reading it now.
    pub exe_sha256: Option<String>,
    /// The server's working directory.
    pub cwd: String,
    /// The profile's name.
    pub profile: String,
    /// The digest of the files that it is made of.
    pub profile_sha256: String,
    /// `dev` or `prod`.
    pub env: &'static str,
    /// The parent's program: the client, as far as we can see.
    pub client: Option<String>,
    /// User name, or the number when it has none.
    pub user: String,
    /// Kernel release.
    pub kernel: String,
    /// What is enforced.
    pub enforced: Enforced,
    /// What is not, though the profile would have liked it.
    pub degraded: Vec<String>,
    /// Names (never values) of environment variables that were removed.
    pub env_removed: Vec<String>,
    /// This program's version.
    pub caponier: &'static str,
}

/// What is on in this session.
#[derive(Debug, Clone, Serialize)]
pub struct Enforced {
    /// The kernel's Landlock ABI.
    pub landlock_abi: u32,
    /// Landlock file rules.
    pub fs: bool,
    /// `none`: no network at all.
    pub net: &'static str,
    /// Landlock scopes that hold: `signal`, `abstract-unix`.
    pub scopes: Vec<&'static str>,
    /// The seccomp allow-list.
    pub seccomp: bool,
    /// The notification broker.
    pub notify: bool,
    /// `dropped`; `bounding: kept` where the bounding set could not be emptied.
    pub caps: &'static str,
    /// The limits that hold, by name.
    pub limits: Vec<&'static str>,
    /// How the tree is ended: `scope` or `loop`.
    pub kill: &'static str,
    /// Parts of the profile that are judged at messages: `tools`, `framing`.
    pub gate: Vec<&'static str>,
}

/// `session.exe`.
#[derive(Debug, Clone, Serialize)]
pub struct SessionExe {
    /// The program.
    pub exe: String,
    /// Its digest; `null` when the session ended before it was known.
    pub exe_sha256: Option<String>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The client closed our stdin.
    ClientClosed,
    /// The server ended by itself.
    ServerExit,
    /// We were told to end, by a signal.
    Killed,
    /// `limits.wall_time`.
    Timeout,
    /// The log could not be written for too long.
    AuditFailed,
    /// Something of ours broke.
    SupervisorError,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// By itself, with this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

/// Resources that a process used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rusage {
    /// User CPU time.
    pub user_us: u64,
    /// System CPU time.
    pub system_us: u64,
    /// Largest resident set.
    pub max_rss_kib: u64,
}

/// `session.end`.
#[derive(Debug, Clone, Serialize)]
pub struct SessionEnd {
    /// How the server's own process ended; `null` when it was never started.
    pub status: Option<Status>,
    /// Why.
    pub cause: Cause,
    /// Since `session.start`.
    pub duration_us: u64,
    /// Lines before this one.
    pub events: u64,
    /// Calls begun.
    pub calls: u64,
    /// Denials.
    pub denied: u64,
    /// Events that were dropped at a cap.
    pub lost: u64,
    /// Of the server's own process.
    pub rusage: Option<Rusage>,
}

/// `process.start`.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessStart {
    /// Process.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// The program.
    pub exe: String,
    /// Its words, values that look like secrets removed.
    pub argv: Vec<String>,
    /// Calls in flight.
    pub calls: Vec<u64>,
    /// How sure that is.
    pub attribution: Attribution,
}

/// `process.exit`.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessExit {
    /// Process.
    pub pid: u32,
    /// How it ended.
    pub status: Option<Status>,
    /// What it used.
    pub rusage: Option<Rusage>,
}

/// `call.start`.
#[derive(Debug, Clone, Serialize)]
pub struct CallStart {
    /// Running number in the session, from 1.
    pub call: u64,
    /// The JSON-RPC id, byte for byte.
    pub id: Box<RawValue>,
    /// `tools/call`.
    pub method: String,
    /// The tool's name.
    pub tool: String,
    /// As `audit.arguments` says; `null` with `none`.
    pub arguments: Option<Box<RawValue>>,
    /// SHA-256, hex, over the arguments' bytes as sent.
    pub arguments_sha256: String,
    /// Length of the whole message.
    pub bytes: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A result without `isError`.
    Ok,
    /// A result with `isError: true`.
    ToolError,
    /// A JSON-RPC error.
    RpcError,
    /// Refused; it never reached the server, or its result never reached the client.
    Denied,
    /// The session ended first, or the server closed its stdout.
    Unanswered,
    /// The client took it back with `notifications/cancelled`.
    Cancelled,
}

/// `call.end`.
#[derive(Debug, Clone, Serialize)]
pub struct CallEnd {
    /// The running number of its `call.start`.
    pub call: u64,
    /// The tool's name.
    pub tool: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of a JSON-RPC error.
    pub error_code: Option<i64>,
    /// From `call.start`.
    pub duration_us: u64,
    /// Length of the answer.
    pub bytes: u64,
    /// What happened while it was in flight.
    pub summary: Summary,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// Kinds of file access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileAccessKind {
    /// Opened for reading.
    Read,
    /// Opened for writing.
    Write,
    /// A file, folder, link or node came into being.
    Create,
    /// Removed.
    Delete,
    /// Renamed.
    Rename,
    /// Hard-linked.
    Link,
    /// Cut.
    Truncate,
    /// Executed.
    Execute,
    /// Mode, owner, times, attributes.
    Metadata,
    /// A folder was opened to be listed, or watched.
    List,
}

/// How much a `file.access` line proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// We did it, or refused it, ourselves.
    Performed,
    /// We looked, the kernel decided: a racing thread can make the path here wrong, never the access.
    Predicted,
    /// The path could not be read.
    Unreadable,
}

/// `file.access`.
#[derive(Debug, Clone, Serialize)]
pub struct FileAccess {
    /// Canonical path.
    pub path: String,
    /// What was asked for, when it reads differently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// What kind.
    pub access: FileAccessKind,
    /// Allowed or refused.
    pub verdict: Ruling,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Who refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// What would allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Why nothing is proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// `ok`, or the errno's name.
    pub result: &'static str,
    /// Process.
    pub pid: u32,
    /// Its program.
    pub exe: String,
    /// Calls in flight.
    pub calls: Vec<u64>,
    /// How sure that is.
    pub attribution: Attribution,
    /// How much this line proves.
    pub evidence: Evidence,
    /// How many times in a row.
    pub count: u64,
}

impl FileAccess {
    /// Marks the access as refused for the reason given.
    pub fn deny(&mut self, denial: &Denial) {
        self.verdict = Ruling::Deny;
        self.reason = Some(denial.reason);
        self.layer = Some(denial.layer);
        self.remedy = denial.remedy.line().map(str::to_owned);
        self.why_not = denial.remedy.why_not().map(str::to_owned);
    }
}

/// `syscall.denied`.
#[derive(Debug, Clone, Serialize)]
pub struct SyscallDenied {
    /// Its name.
    pub syscall: &'static str,
    /// Its number.
    pub nr: i32,
    /// The six registers.
    pub args: [u64; 6],
    /// Why.
    pub reason: Reason,
    /// Who.
    pub layer: Layer,
    /// What would allow it.
    pub remedy: Option<String>,
    /// Why nothing is proposed.
    pub why_not: Option<String>,
    /// What the caller got.
    pub errno: &'static str,
    /// Process.
    pub pid: u32,
    /// Its program.
    pub exe: String,
    /// Calls in flight.
    pub calls: Vec<u64>,
    /// How sure that is.
    pub attribution: Attribution,
    /// How many times in a row.
    pub count: u64,
}

/// `network.connect`.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkConnect {
    /// The name, when one is known.
    pub host: Option<String>,
    /// The port; 0 when the address has none.
    pub port: u16,
    /// The address as asked.
    pub address: String,
    /// Allowed or refused.
    pub verdict: Ruling,
    /// Why.
    pub reason: Option<Reason>,
    /// Who.
    pub layer: Option<Layer>,
    /// What would allow it.
    pub remedy: Option<String>,
    /// Why nothing is proposed.
    pub why_not: Option<String>,
    /// `ok`, or the errno's name.
    pub result: &'static str,
    /// Process.
    pub pid: u32,
    /// Its program.
    pub exe: String,
    /// Calls in flight.
    pub calls: Vec<u64>,
    /// How sure that is.
    pub attribution: Attribution,
    /// How many times in a row.
    pub count: u64,
}

/// `socket.unix`.
#[derive(Debug, Clone, Serialize)]
pub struct SocketUnix {
    /// The socket's path; `@name` for an abstract one.
    pub path: String,
    /// Allowed or refused.
    pub verdict: Ruling,
    /// Why.
    pub reason: Option<Reason>,
    /// Who.
    pub layer: Option<Layer>,
    /// What would allow it.
    pub remedy: Option<String>,
    /// Why nothing is proposed.
    pub why_not: Option<String>,
    /// `ok`, or the errno's name.
    pub result: &'static str,
    /// Process.
    pub pid: u32,
    /// Its program.
    pub exe: String,
    /// Calls in flight.
    pub calls: Vec<u64>,
    /// How sure that is.
    pub attribution: Attribution,
    /// How many times in a row.
    pub count: u64,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client to the server.
    ClientToServer,
    /// From the server to the client.
    ServerToClient,
}

/// `message.denied`.
#[derive(Debug, Clone, Serialize)]
pub struct MessageDenied {
    /// Which way it went.
    pub direction: Direction,
    /// Its method, when it could be read.
    pub method: Option<String>,
    /// The tool of a `tools/call`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Always the gate.
    pub layer: Layer,
    /// What was wrong, and where (byte offset).
    pub detail: String,
    /// What would allow it.
    pub remedy: Option<String>,
    /// Why nothing is proposed.
    pub why_not: Option<String>,
    /// Its length, as far as it was read.
    pub bytes: u64,
}

/// `stdout.noise`.
#[derive(Debug, Clone, Serialize)]
pub struct StdoutNoise {
    /// Length of the line.
    pub bytes: u64,
    /// Its beginning, at most 200 characters.
    pub excerpt: String,
}

/// `audit.degraded`.
#[derive(Debug, Clone, Serialize)]
pub struct AuditDegraded {
    /// What is missing from now on.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// `audit.lost`.
#[derive(Debug, Clone, Serialize)]
pub struct AuditLost {
    /// Which cap.
    pub reason: String,
    /// How many events.
    pub count: u64,
}

/// The log cannot be written: whoever hears this refuses what it was about to allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be written: {detail}")]
pub struct Unwritable {
    /// What the kernel said.
    pub detail: String,
}

/// Where events go. `audit` implements it; tests implement it with a list.
pub trait Sink: Send + Sync {
    /// Appends one event; with [`Urgency::BeforeEffect`] it is with the kernel when this returns.
    /// Returns its `seq`.
    fn append(&self, event: &Event) -> Result<u64, Unwritable>;

    /// Writes what is batched.
    fn flush(&self) -> Result<(), Unwritable>;

    /// The session's id.
    fn session(&self) -> &str;
}

/// The handle that every floor above speaks through: cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Emitter {
    sink: Arc<dyn Sink>,
    calls: Arc<InFlight>,
}

impl Emitter {
    /// An emitter into `sink`, with no call in flight.
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Emitter { sink, calls: Arc::new(InFlight::default()) }
    }

    /// Appends one event; see [`Sink::append`].
    pub fn emit(&self, event: &Event) -> Result<u64, Unwritable> {
        self.sink.append(event)
    }

    /// Writes what is batched.
    pub fn flush(&self) -> Result<(), Unwritable> {
        self.sink.flush()
    }

    /// `<session>:<seq>`, the name of one event.
    pub fn event_id(&self, seq: u64) -> String {
        format!("{}:{seq}", self.sink.session())
    }

    /// The calls in flight.
    pub fn calls(&self) -> &InFlight {
        &self.calls
    }
}

/// Bytes as text: UTF-8 as it is, each byte that is not part of it as `\xNN`.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        for byte in chunk.invalid() {
            use std::fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_bytes_are_shown() {
        assert_eq!(text(b"/a/b"), "/a/b");
        assert_eq!(text(b"/a\xff/\xc3\xa9"), "/a\\xff/\u{e9}");
    }
}
