//! From a line of the log to the question that it asked of the profile.
//!
//! The rules are those of the broker (`notify/`): making, removing and moving a name asks the folder around it, opening
//! what is there asks the thing itself, and a look at something missing asks nobody.

use std::path::PathBuf;

use crate::audit::query::record::Record;
use crate::policy::grant::Access;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// Something that is there.
    Path(Access, PathBuf),
    /// A name that is made, removed or moved.
    Name(PathBuf),
    /// A tool.
    Tool(String),
    /// A name that is looked up.
    Lookup(String),
    /// A connection.
    Connect {
        /// The name, when one is known.
        name: Option<String>,
        /// `address:port`; `name:port` when no address is known.
        address: String,
    },
    /// An address to listen on, with its port.
    Listen(String),
    /// One process more than so many.
    Processes(u64),
    /// A seccomp filter of the server's own.
    OwnFilter,
    /// A message of so many bytes.
    Message(u64),
    /// Nothing that a profile decides: the answer stays what it was.
    Kept {
        /// Why.
        because: &'static str,
    },
    /// The log does not say enough to judge again.
    Open(&'static str),
}

const NOT_A_PATH: &str = "no path leads there, so no grant does";
const SERVED: &str = "the broker serves /proc by itself, whatever the profile says";
const MISSING: &str = "there was nothing to open, and nothing to refuse";
const NEVER: &str = "no profile can grant it";
const NO_PROFILE: &str = "no line of a profile decides it";
const PROTOCOL: &str = "the protocol decides it, not the profile";

impl Question {
    /// The question of a line; `None` for a line that tells of nothing that could be refused.
    pub fn of(record: &Record<'_>) -> Option<Question> {
        Some(match &*record.event {
            "file.access" => file(record)?,
            "process.start" => Question::Path(Access::Execute, absolute(record.exe.as_deref()?)?),
            "network.resolve" => Question::Lookup(record.host.as_deref()?.to_owned()),
            "network.connect" => connect(record),
            "socket.unix" => Question::Kept { because: NO_PROFILE },
            "syscall.denied" => syscall(record),
            "message.denied" => message(record),
            "call.start" => Question::Tool(record.tool.as_deref()?.to_owned()),
            _ => return None,
        })
    }

    /// What it is about, in a word and a name.
    pub fn shown(&self) -> (String, String) {
        let words = |what: &str, of: String| (what.to_owned(), of);
        match self {
            Question::Path(access, path) => {
                let what = match access {
                    Access::Read => "read",
                    Access::Write => "write",
                    Access::Execute => "execute",
                };
                words(what, path.display().to_string())
            }
            Question::Name(path) => words("write", path.display().to_string()),
            Question::Tool(tool) => words("tool", tool.clone()),
            Question::Lookup(host) => words("resolve", host.clone()),
            Question::Connect { name: None, address } => words("connect", address.clone()),
            Question::Connect { name: Some(name), address } => {
                words("connect", format!("{name} ({address})"))
            }
            Question::Listen(address) => words("listen", address.clone()),
            Question::Processes(limit) => words("processes", format!("more than {limit}")),
            Question::OwnFilter => words("syscall", "seccomp".to_owned()),
            Question::Message(bytes) => words("message", format!("{bytes} bytes")),
            Question::Kept { .. } | Question::Open(_) => words("", String::new()),
        }
    }
}

fn absolute(path: &str) -> Option<PathBuf> {
    path.starts_with('/').then(|| PathBuf::from(path))
}

fn file(record: &Record<'_>) -> Option<Question> {
    let path = record.path.as_deref()?;
    let reason = record.reason.as_deref().unwrap_or_default();
    let Some(real) = absolute(path).filter(|_| !path.starts_with("/memfd:")) else {
        return Some(Question::Kept { because: NOT_A_PATH });
    };
    if path == "/proc" || path.starts_with("/proc/") {
        return Some(Question::Kept { because: SERVED });
    }
    let denied = record.is_denied();
    if !denied && record.result.as_deref() == Some("ENOENT") {
        return Some(Question::Kept { because: MISSING });
    }
    if matches!(reason, "fs.metadata.privileged" | "fs.path.unreadable" | "exec.loader") {
        return Some(Question::Kept { because: NEVER });
    }
    let access = record.access.as_deref()?;
    // A shell has no remedy, and still a profile may name it. Everything else without one is beyond any profile.
    if denied && record.remedy.is_none() && access != "execute" && !reason.starts_with("fs.read") {
        return Some(Question::Kept { because: NEVER });
    }
    Some(match access {
        "read" | "list" => Question::Path(Access::Read, real),
        "write" | "truncate" | "metadata" => Question::Path(Access::Write, real),
        "create" | "delete" | "rename" | "link" => Question::Name(real),
        "execute" => Question::Path(Access::Execute, real),
        _ => Question::Open("this version does not know such an access"),
    })
}

fn connect(record: &Record<'_>) -> Question {
    let denied = record.is_denied();
    let reason = record.reason.as_deref().filter(|_| denied).unwrap_or_default();
    if reason.starts_with("net.sni.") || reason.starts_with("net.http.") || reason.starts_with("net.hello.") {
        return Question::Kept { because: "what was sent decides it, not a line" };
    }
    if matches!(reason, "net.fast-open" | "net.socket.kind") {
        return Question::Kept { because: NEVER };
    }
    if reason.starts_with("net.limit.") || reason == "net.unavailable" {
        return Question::Open("it depends on what else was connected at that moment");
    }
    let host = record.host.as_deref().map(str::to_owned);
    let at = record.address.as_deref().filter(|address| !address.is_empty()).or(host.as_deref());
    let (Some(at), Some(port)) = (at, record.port) else {
        return Question::Open("the log does not say which host it was");
    };
    let at = at.trim_matches(['[', ']']);
    let address = if at.contains(':') { format!("[{at}]:{port}") } else { format!("{at}:{port}") };
    match reason == "net.listen.not-listed" || record.backend.as_deref() == Some("listen") {
        true => Question::Listen(address),
        false => Question::Connect { name: host, address },
    }
}

fn syscall(record: &Record<'_>) -> Question {
    match record.reason.as_deref() {
        Some("syscall.seccomp") => Question::OwnFilter,
        // The remedy is twice what was there.
        Some("process.limit") => match record.remedy.as_deref().and_then(number) {
            Some(proposed) => Question::Processes(proposed / 2),
            None => Question::Open("the log does not say how many processes there were"),
        },
        _ => Question::Kept { because: NO_PROFILE },
    }
}

fn message(record: &Record<'_>) -> Question {
    match record.reason.as_deref().unwrap_or_default() {
        "tool.denied" | "tool.not-listed" => match record.tool.as_deref() {
            Some(tool) => Question::Tool(tool.to_owned()),
            None => Question::Open("the log does not say which tool it was"),
        },
        "message.too-long" | "result.too-long" => match (record.bytes, record.remedy.is_some()) {
            (Some(bytes), true) => Question::Message(bytes),
            _ => Question::Kept { because: "clients accept no longer message" },
        },
        "message.too-deep" => Question::Open("the log does not say how deep the message was"),
        reason if reason.starts_with("message.") => Question::Kept { because: PROTOCOL },
        "call.too-many" | "audit.unwritable" => Question::Kept { because: NO_PROFILE },
        _ => Question::Open("the log does not have what this was judged by"),
    }
}

/// The number at the end of `key = N`.
fn number(line: &str) -> Option<u64> {
    line.rsplit_once(" = ")?.1.parse().ok()
}
