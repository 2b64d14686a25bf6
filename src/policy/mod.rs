//! The resolved policy: what one server may do, as pure data. No I/O happens here.
//!
//! A [`Policy`] is what a profile, its bases and the flags of `run` amount to once every variable is expanded and
//! every law of composition was applied. It is read by `sandbox` (which compiles it to kernel objects), by `mcp`
//! (which judges messages with it) and by `notify` (which explains denials with it). Every grant remembers the line
//! that it came from, so that a record can name it.

pub mod address;
pub mod argument;
pub mod calls;
pub mod confirm;
pub mod directories;
pub mod ending;
pub mod grant;
pub mod host;
pub mod injection;
pub mod limits;
pub mod network;
pub mod profile_line;
pub mod protected;
pub mod reason;
pub mod requests;
pub mod sensitive;
pub mod service;
pub mod shells;
pub mod tools;
pub mod verdict;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::policy::confirm::Confirm;
use crate::policy::grant::Grant;
use crate::policy::limits::Limits;
use crate::policy::network::Network;
use crate::policy::requests::ServerRequests;
use crate::policy::tools::{Tools, UnknownFields};

/// Everything that one run may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Which profile this is.
    pub profile: Identity,
    /// Folders and files.
    pub filesystem: Filesystem,
    /// Programs, environment, home.
    pub process: Process,
    /// Resource limits.
    pub limits: Limits,
    /// Hosts.
    pub network: Network,
    /// Which tools may be called.
    pub tools: Tools,
    /// Framing and message limits.
    pub protocol: Protocol,
    /// What happens when the server's definitions change.
    pub pins: Pins,
    /// How a person is asked before a call is made.
    pub confirm: Confirm,
    /// What is recorded, and what happens when it cannot be.
    pub audit: Audit,
    /// What the kernel must offer.
    pub require: Require,
}

/// `protocol.pins`: what happens when a server says something else of its tools than when it was first seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pins {
    /// Tools that ask for more, or whose texts changed, are held back until somebody approves.
    #[default]
    Enforce,
    /// It is recorded and told.
    Warn,
    /// Nothing is compared.
    Off,
}

/// Where a policy comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The profile's name (`filesystem`), or the file's stem when a path was given.
    pub name: String,
    /// The file of the profile itself; `<shipped>/NAME.toml` for one that is embedded in the program.
    pub file: PathBuf,
    /// SHA-256, lower-case hex, over the bytes of all files that took part, in order of composition.
    pub sha256: String,
    /// The environment that was asked for.
    pub env: Environment,
}

/// Development or production: separate files, stricter rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// `--env dev`.
    Dev,
    /// `--env prod`, the default.
    Prod,
}

impl Environment {
    /// `dev` or `prod`.
    pub fn as_str(self) -> &'static str {
        match self {
            Environment::Dev => "dev",
            Environment::Prod => "prod",
        }
    }
}

/// `[filesystem]`: an empty list grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filesystem {
    /// Files and folders that may be read and listed.
    pub read: Vec<Grant>,
    /// Files and folders that may also be written, created in, removed from.
    pub write: Vec<Grant>,
    /// Protected names (`.git/hooks`, `.mcp.json` …) that this profile gives up, by name.
    pub unprotected: Vec<String>,
}

/// `[process]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Programs (files, never folders in shipped profiles) that may be executed.
    pub execute: Vec<Grant>,
    /// Folders of the server's own cache in which it may execute what it wrote there itself: the one exception.
    pub execute_writable: Vec<Grant>,
    /// Where absolute path arguments of the command go; `None`: they are plain arguments.
    pub arguments_as_paths: Option<PathArguments>,
    /// What the server finds in its environment.
    pub env: EnvironmentRules,
    /// Whether the server may install seccomp filters of its own (which hide later calls from the broker).
    pub nested_seccomp: bool,
    /// Whether the private HOME lasts.
    pub home: Home,
}

/// `arguments_as_paths`: the kind of grant that a path argument becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PathArguments {
    /// `"filesystem.read"`.
    #[serde(rename = "filesystem.read")]
    Read,
    /// `"filesystem.write"`.
    #[serde(rename = "filesystem.write")]
    Write,
}

/// The environment of the server: everything that is not named here is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EnvironmentRules {
    /// Names passed on when they are set.
    pub pass: Vec<String>,
    /// Names set to a value of the profile's.
    pub set: BTreeMap<String, String>,
    /// Names passed on whose values are secrets, redacted everywhere.
    pub secret: Vec<String>,
}

/// `home = "session" | "private"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Home {
    /// HOME lies in the session's TMPDIR and goes with it.
    Session,
    /// HOME lasts, for servers that keep state.
    Private,
}

/// `[protocol]`, as far as it is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Protocol {
    /// Longest message in bytes, either direction.
    pub max_message: u64,
    /// Deepest nesting of arrays and objects.
    pub max_depth: u32,
    /// What happens to a line of the server's that is not a JSON-RPC message.
    pub stdout: Stdout,
    /// What becomes of fields that a tool's schema does not list.
    pub unknown_fields: UnknownFields,
    /// What the server may ask of the client.
    pub server_requests: ServerRequests,
}

/// `protocol.stdout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stdout {
    /// Dropped, logged, copied to stderr.
    Strict,
    /// A line that is not JSON at all is passed on (an ambiguous message never is).
    Relaxed,
}

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// How much of a call's arguments is recorded.
    pub arguments: Arguments,
    /// Whether lines of the server's stderr are recorded.
    pub stderr: bool,
    /// When lines are made durable.
    pub sync: Sync,
    /// What happens when the log cannot be written.
    pub on_failure: OnFailure,
    /// Whether reads are recorded (`false` is recorded as degraded).
    pub file_reads: bool,
}

/// `audit.arguments`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arguments {
    /// Everything, secrets taken out and long strings cut.
    Redacted,
    /// Everything, also secrets. Refused under `prod`.
    Full,
    /// Names, kinds and lengths; no value.
    Shape,
    /// Nothing but the digest.
    None,
}

/// `audit.sync`: when the log is flushed to the disk itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// At the end of the session.
    Session,
    /// At the end of every call, and of the session.
    Call,
    /// At every event.
    Event,
}

/// `audit.on_failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Nothing more is allowed until the log can be written again; after 30 s the session ends.
    Block,
    /// The session goes on and says so. Refused under `prod`.
    Continue,
}

/// `[require]`: what the kernel must offer, or nothing is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Require {
    /// Lowest Landlock ABI; never below [`MIN_LANDLOCK_ABI`].
    pub landlock_abi: u32,
    /// Whether ending the whole tree must rest on Landlock's signal scope (ABI 6).
    pub kill_scope: Requirement,
}

/// The oldest Landlock that can hold what we promise: TRUNCATE is ABI 3, TCP is ABI 4.
pub const MIN_LANDLOCK_ABI: u32 = 4;

/// `"required" | "best-effort"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// Refuse to start without it.
    Required,
    /// Go on without it, and record `degraded`.
    BestEffort,
}
