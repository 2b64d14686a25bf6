//! The vocabulary of the log, and the [`Emitter`] through which every floor above speaks.
//!
//! Everyone emits, only `audit` writes. Field names and their order are fixed: tests and readers outside this
//! repository use them. Paths that are not UTF-8 are shown with `\xNN` for each stray byte ([`text`]).

mod activity;
mod confirm;
mod emitter;
mod journal;
mod lifecycle;
mod proof;
pub(crate) mod redact;
mod requests;

use std::borrow::Cow;

use serde::Serialize;

pub use crate::event::activity::{
    AuditDegraded, AuditLost, Backend, CallEnd, CallStart, Direction, Evidence, FileAccess, FileAccessKind,
    MessageDenied, NetworkClose, NetworkConnect, NetworkResolve, Outcome, PinDifference, SocketUnix,
    StderrLine, StdoutNoise, SyscallDenied, ToolChanged, ToolDefined, ToolMismatch,
};
pub use crate::event::confirm::{ConfirmAnswered, ConfirmAsked};
pub use crate::event::emitter::{Emitter, Sink, Unwritable};
pub use crate::event::lifecycle::{
    Cause, Enforced, ProcessExit, ProcessStart, RepositoryFile, SessionEnd, SessionExe, SessionStart,
};
pub use crate::event::proof::{Proof, ProofAttack, ProofOutcome, ProofResult};
pub use crate::event::redact::{Redact, WINDOW};
pub use crate::event::requests::{RequestEnd, RequestStart};
pub use crate::policy::ending::{Rusage, Status};
use crate::policy::verdict::Ruling;

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
    /// `network.resolve`.
    NetworkResolve(Box<NetworkResolve>),
    /// `network.connect`: a connection, or a listener, that was allowed or refused.
    NetworkConnect(Box<NetworkConnect>),
    /// `network.close`.
    NetworkClose(Box<NetworkClose>),
    /// `socket.unix`.
    SocketUnix(Box<SocketUnix>),
    /// `message.denied`.
    MessageDenied(Box<MessageDenied>),
    /// `tool.defined`.
    ToolDefined(Box<ToolDefined>),
    /// `tool.changed`: before the client is shown anything of it.
    ToolChanged(Box<ToolChanged>),
    /// `tool.mismatch`: a call did what its tool declares not to do; after its `call.end`.
    ToolMismatch(Box<ToolMismatch>),
    /// `request.start`: written before the server's request reaches the client.
    RequestStart(Box<RequestStart>),
    /// `request.end`: written before the answer reaches the server.
    RequestEnd(RequestEnd),
    /// `confirm.asked`: written before anybody is asked.
    ConfirmAsked(Box<ConfirmAsked>),
    /// `confirm.answered`: written before anything follows from it.
    ConfirmAnswered(Box<ConfirmAnswered>),
    /// `stdout.noise`: a line of the server's that is not a message.
    StdoutNoise(StdoutNoise),
    /// `stderr.line`: a line of the server's stderr, where the profile asks for it.
    StderrLine(StderrLine),
    /// `proof.attack`: what became of one attack of `doctor --prove`.
    ProofAttack(Box<ProofAttack>),
    /// `proof.result`: what became of all of them.
    ProofResult(ProofResult),
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
            Event::NetworkResolve(_) => "network.resolve",
            Event::NetworkConnect(_) => "network.connect",
            Event::NetworkClose(_) => "network.close",
            Event::SocketUnix(_) => "socket.unix",
            Event::MessageDenied(_) => "message.denied",
            Event::ToolDefined(_) => "tool.defined",
            Event::ToolChanged(_) => "tool.changed",
            Event::ToolMismatch(_) => "tool.mismatch",
            Event::RequestStart(_) => "request.start",
            Event::RequestEnd(_) => "request.end",
            Event::ConfirmAsked(_) => "confirm.asked",
            Event::ConfirmAnswered(_) => "confirm.answered",
            Event::StdoutNoise(_) => "stdout.noise",
            Event::StderrLine(_) => "stderr.line",
            Event::ProofAttack(_) => "proof.attack",
            Event::ProofResult(_) => "proof.result",
            Event::AuditDegraded(_) => "audit.degraded",
            Event::AuditLost(_) => "audit.lost",
        }
    }

    /// Allowed file accesses and noise are batched; everything else is written before it takes effect.
    pub fn urgency(&self) -> Urgency {
        match self {
            Event::FileAccess(access) if access.verdict == Ruling::Allow => Urgency::Batched,
            Event::ProcessExit(_) => Urgency::Batched,
            Event::StdoutNoise(_) | Event::StderrLine(_) | Event::AuditLost(_) | Event::ToolDefined(_) => {
                Urgency::Batched
            }
            _ => Urgency::BeforeEffect,
        }
    }

    /// How many denials this line tells of: repeats are folded into a count.
    pub fn denials(&self) -> u64 {
        match self {
            _ if !self.is_denial() => 0,
            Event::FileAccess(it) => it.count,
            Event::SyscallDenied(it) => it.count,
            Event::NetworkResolve(it) => it.count,
            Event::NetworkConnect(it) => it.count,
            Event::SocketUnix(it) => it.count,
            _ => 1,
        }
    }

    /// Whether this counts as a denial in `session.end` and `--denied`.
    pub fn is_denial(&self) -> bool {
        match self {
            Event::FileAccess(access) => access.verdict == Ruling::Deny,
            Event::NetworkResolve(resolve) => resolve.verdict == Ruling::Deny,
            Event::NetworkConnect(connect) => connect.verdict == Ruling::Deny,
            Event::SocketUnix(socket) => socket.verdict == Ruling::Deny,
            Event::SyscallDenied(_) | Event::MessageDenied(_) => true,
            _ => false,
        }
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
