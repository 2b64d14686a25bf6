//! Payloads of what a server is asked and what it does: calls, files, system calls, sockets, messages.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::policy::calls::{Attribution, Summary};
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Ruling};

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
    /// No list had shown the tool yet, so that its arguments were not checked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
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
    /// No answer in the time that the profile gives it.
    Timeout,
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
    /// What would allow it: on the line of every refusal, `null` where nothing is proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Option<String>>,
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
    /// Under `--observe`: what the profile alone would have said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<Ruling>,
    /// How many times in a row.
    pub count: u64,
}

impl FileAccess {
    /// Marks the access as refused for the reason given.
    pub fn deny(&mut self, denial: &Denial) {
        self.verdict = Ruling::Deny;
        self.reason = Some(denial.reason);
        self.layer = Some(denial.layer);
        self.remedy = Some(denial.remedy.line().map(str::to_owned));
        self.why_not = denial.remedy.why_not().map(str::to_owned);
    }
}

/// `syscall.denied`. Its line has the verdict that every refusal has.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "verdict", rename = "deny")]
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

/// `network.resolve`: a name that the server looked up.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkResolve {
    /// The name, as it was asked for when it is none.
    pub host: String,
    /// What was asked: `A`, `AAAA` …; `hosts` for a name that was resolved for the injected `/etc/hosts`.
    pub query: String,
    /// What the server was told.
    pub addresses: Vec<String>,
    /// Allowed or refused. Refused names never leave this machine.
    pub verdict: Ruling,
    /// Why.
    pub reason: Option<Reason>,
    /// Who.
    pub layer: Option<Layer>,
    /// What would allow it.
    pub remedy: Option<String>,
    /// Why nothing is proposed.
    pub why_not: Option<String>,
    /// `ok`, `NXDOMAIN`, `NODATA`, `SERVFAIL`.
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

/// How a connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Through the supervisor, which reads the first bytes and requires them to name an allowed host.
    Verify,
    /// The server's socket itself, connected to the checked address.
    Direct,
    /// Nothing is connected: the server listens.
    Listen,
}

/// `network.close`: the end of a connection, and what went over it.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkClose {
    /// The name, when one is known.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
    /// The address.
    pub address: String,
    /// How it was made.
    pub backend: Backend,
    /// From the server; `null` when it could not be counted.
    pub bytes_up: Option<u64>,
    /// To the server; `null` when it could not be counted.
    pub bytes_down: Option<u64>,
    /// Since it was made.
    pub duration_us: u64,
    /// `closed`, `reset`, `refused`, `idle`, `session` (the session ended first).
    pub cause: &'static str,
    /// Process that made it.
    pub pid: u32,
    /// Its program.
    pub exe: String,
    /// Calls in flight when it ended.
    pub calls: Vec<u64>,
    /// How sure that is.
    pub attribution: Attribution,
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
    /// The name in the TLS hello, or the host of the HTTP request, when it was looked at.
    pub sni: Option<String>,
    /// How it is made; `null` when it is not.
    pub backend: Option<Backend>,
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

/// `message.denied`. Its line has the verdict that every refusal has.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "verdict", rename = "deny")]
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

/// `tool.mismatch`: a call did what its tool declares not to do.
#[derive(Debug, Clone, Serialize)]
pub struct ToolMismatch {
    /// The tool.
    pub tool: String,
    /// The call, which was in flight alone.
    pub call: u64,
    /// What the tool's annotations say: `readOnlyHint: true`, `openWorldHint: false`.
    pub declared: &'static str,
    /// What the call did: `write`, `connect`.
    pub did: &'static str,
    /// The first path that was written, for `write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The first host that was reached, for `connect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// `tool.defined`: a definition was seen for the first time, and is what later ones are compared with.
#[derive(Debug, Clone, Serialize)]
pub struct ToolDefined {
    /// `tool`, `instructions`, `prompt`, `resource`, `resource_template`.
    pub kind: &'static str,
    /// The tool's name; `null` for what is none.
    pub tool: Option<String>,
    /// The prompt's name, the resource's URI, the template's URI template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of the canonical text of the definition.
    pub sha256: String,
    /// What is strange about its texts.
    pub findings: Vec<&'static str>,
}

/// `tool.changed`: a definition is not the one that is pinned. Once a session for each.
#[derive(Debug, Clone, Serialize)]
pub struct ToolChanged {
    /// `tool`, `instructions`, `prompt`, `resource`, `resource_template`.
    pub kind: &'static str,
    /// The tool's name; `null` for what is none.
    pub tool: Option<String>,
    /// The prompt's name, the resource's URI, the template's URI template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `added`, `removed`, `changed`.
    pub fate: &'static str,
    /// The tool that is gone and said the same.
    pub renamed_from: Option<String>,
    /// Of the new definition's canonical text; of the pinned one for what is gone.
    pub sha256: String,
    /// `cosmetic`, `narrowing`, `widening`, `instruction`.
    pub class: String,
    /// Whether the client is not shown it.
    pub held: bool,
    /// Where the two differ.
    pub diff: Vec<PinDifference>,
    /// What is strange about the new texts.
    pub findings: Vec<&'static str>,
}

/// One place at which two definitions differ.
#[derive(Debug, Clone, Serialize)]
pub struct PinDifference {
    /// A JSON pointer into the definition.
    pub at: String,
    /// Its class.
    pub class: String,
    /// The JSON text before, cut.
    pub before: Option<String>,
    /// The JSON text now, cut.
    pub after: Option<String>,
}

/// `stdout.noise`.
#[derive(Debug, Clone, Serialize)]
pub struct StdoutNoise {
    /// Length of the line.
    pub bytes: u64,
    /// Its beginning, at most 200 characters.
    pub excerpt: String,
}

/// `stderr.line`.
#[derive(Debug, Clone, Serialize)]
pub struct StderrLine {
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
