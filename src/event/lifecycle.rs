//! Payloads of the session's and its processes' lives.

use serde::Serialize;

use crate::policy::calls::Attribution;
use crate::policy::ending::{Rusage, Status};
use crate::policy::verdict::Ruling;

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
    /// The package of the store that it runs from: `npm:PACKAGE@VERSION`, `pypi:PACKAGE==VERSION`.
    pub package: Option<String>,
    /// The digest of that package's files.
    pub package_digest: Option<String>,
    /// The server's working directory.
    pub cwd: String,
    /// The profile's name.
    pub profile: String,
    /// Its file; `<shipped>/NAME.toml` for one that is part of the program.
    pub profile_file: String,
    /// The digest of the files that it is made of.
    pub profile_sha256: String,
    /// It was locked, and is as it was approved.
    pub locked: bool,
    /// The workspace's own file that narrows it, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryFile>,
    /// What `run` was told to add to it, word by word: `--read`, `/notes` …
    pub flags: Vec<String>,
    /// What `${workspace}` stood for.
    pub workspace: String,
    /// `dev` or `prod`.
    pub env: &'static str,
    /// The parent's program: the client, as far as we can see.
    pub client: Option<String>,
    /// User name, or the number when it has none.
    pub user: String,
    /// Kernel release.
    pub kernel: String,
    /// Under `--observe`: the profile is not enforced, only what it would have said is recorded.
    pub observe: bool,
    /// What is enforced.
    pub enforced: Enforced,
    /// What is not, though the profile would have liked it.
    pub degraded: Vec<String>,
    /// Names (never values) of environment variables that were removed.
    pub env_removed: Vec<String>,
    /// This program's version.
    pub caponier: &'static str,
}

/// A workspace's own `.caponier.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepositoryFile {
    /// Its path.
    pub file: String,
    /// The digest of its bytes.
    pub sha256: String,
    /// The user approved it: it may allow more than the profile.
    pub approved: bool,
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
    /// `dropped`; `bounding: kept` where all sets but the bounding set are empty (it takes CAP_SETPCAP to empty that).
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
    /// Under `--observe`: what the profile alone would have said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<Ruling>,
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
    /// Its parent, when it was first seen.
    pub ppid: u32,
    /// The program that it ran last.
    pub exe: String,
    /// How it ended; `null` where nobody but its parent can know (before Linux 6.15).
    pub status: Option<Status>,
    /// What it used, for the server's own process.
    pub rusage: Option<Rusage>,
}
