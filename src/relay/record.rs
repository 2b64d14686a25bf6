//! What the relay writes down, and what follows when it cannot.
//!
//! Every method returns before the thing that it tells of takes effect. With `on_failure = "block"` a failure goes
//! back to the caller, who refuses; with `"continue"` it is told to the session once, and the message passes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedSender;

use crate::event::{
    AuditDegraded, AuditLost, CallEnd, CallStart, ConfirmAnswered, ConfirmAsked, Direction, Emitter, Event,
    MessageDenied, Outcome, PinDifference, RequestEnd, RequestStart, StderrLine, StdoutNoise, ToolChanged,
    ToolDefined, ToolMismatch, Unwritable,
};
use crate::jsonrpc::{Id, Invocation, Raw};
use crate::mcp::ask::Asking;
use crate::mcp::mismatch::Mismatch;
use crate::mcp::pending::Call;
use crate::mcp::pins::watch::Note;
use crate::mcp::pins::{Fate, Finding, Kind};
use crate::mcp::refusal::Refusal;
use crate::mcp::shape;
use crate::mcp::visible::visible;
use crate::policy::calls::{Deeds, Summary};
use crate::policy::reason::Reason;
use crate::policy::{Arguments, Audit, OnFailure};
use crate::relay::Notice;
use crate::relay::excerpt::Excerpts;

/// Characters of a text in a difference of definitions, and how many differences are told.
const DIFFERENCE: usize = 400;
const DIFFERENCES: usize = 50;

/// The relay's side of the log.
pub(super) struct Recorder {
    emitter: Emitter,
    on_failure: OnFailure,
    arguments: Arguments,
    notices: UnboundedSender<Notice>,
    /// The last attempt failed.
    failing: AtomicBool,
    /// Requests refused since then.
    refused: AtomicU64,
}

/// How a call ended, apart from the call itself.
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) error_code: Option<i64>,
    /// Length of the answer.
    pub(super) bytes: usize,
    pub(super) reason: Option<Reason>,
}

impl Ending {
    /// Refused, and told so in `bytes` bytes.
    pub(super) fn denied(refusal: &Refusal, bytes: usize) -> Self {
        Ending { outcome: Outcome::Denied, error_code: None, bytes, reason: Some(refusal.denial.reason) }
    }

    /// Without an answer.
    pub(super) fn silent(outcome: Outcome) -> Self {
        Ending { outcome, error_code: None, bytes: 0, reason: None }
    }
}

impl Recorder {
    pub(super) fn new(emitter: Emitter, audit: &Audit, notices: UnboundedSender<Notice>) -> Self {
        Recorder {
            emitter,
            on_failure: audit.on_failure,
            arguments: audit.arguments,
            notices,
            failing: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        }
    }

    /// Writes one event; `None` when it could not be and the policy goes on.
    fn emit(&self, event: &Event) -> Result<Option<u64>, Unwritable> {
        match self.emitter.emit(event) {
            Ok(seq) => {
                if self.failing.load(Ordering::Relaxed) && self.failing.swap(false, Ordering::Relaxed) {
                    self.notify(Notice::AuditRestored);
                }
                Ok(Some(seq))
            }
            Err(unwritable) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    self.notify(Notice::AuditFailed { detail: unwritable.detail.clone() });
                }
                match self.on_failure {
                    OnFailure::Continue => Ok(None),
                    OnFailure::Block => Err(unwritable),
                }
            }
        }
    }

    fn notify(&self, notice: Notice) {
        // A session that no longer listens is ending.
        let _ = self.notices.send(notice);
    }

    /// Whether a request that leaves no line of its own may pass: while the log fails, only when it can be written
    /// again, and then it says what was missing.
    pub(super) fn ready(&self) -> Result<(), Unwritable> {
        if !self.failing.load(Ordering::Relaxed) || self.on_failure == OnFailure::Continue {
            return Ok(());
        }
        let count = self.refused.load(Ordering::Relaxed);
        let reason = "the log could not be written; requests were refused meanwhile".to_owned();
        match self.emit(&Event::AuditDegraded(AuditDegraded { reason, count })) {
            Ok(_) => {
                self.refused.fetch_sub(count, Ordering::Relaxed);
                Ok(())
            }
            Err(unwritable) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(unwritable)
            }
        }
    }

    /// A call begins and will be forwarded.
    pub(super) fn call_begins(
        &self,
        number: u64,
        id: &Id<'_>,
        invocation: &Invocation<'_>,
        bytes: usize,
        listed: bool,
    ) -> Result<(), Unwritable> {
        self.emitter.calls().begin(number);
        self.call_start(number, id, invocation, bytes, listed).inspect_err(|_| {
            self.emitter.calls().end(number);
        })
    }

    /// Only the line `call.start`: of a call that is refused at once, nothing can happen while it is in flight.
    pub(super) fn call_start(
        &self,
        number: u64,
        id: &Id<'_>,
        invocation: &Invocation<'_>,
        bytes: usize,
        listed: bool,
    ) -> Result<(), Unwritable> {
        let arguments = invocation.params.arguments;
        let recorded = match self.arguments {
            // Before the log's lock is taken, and before a long copy is made.
            Arguments::Redacted | Arguments::Full => {
                arguments.map(|raw| self.emitter.redact().arguments(raw.0))
            }
            Arguments::Shape => RawValue::from_string(shape::shape(arguments)).ok(),
            Arguments::None => None,
        };
        let digest = Sha256::digest(arguments.map_or("", |raw| raw.0));
        self.emit(&Event::CallStart(Box::new(CallStart {
            call: number,
            id: RawValue::from_string(id.raw().to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            method: invocation.method.clone().into_owned(),
            tool: invocation.tool().unwrap_or_default().into_owned(),
            arguments: recorded,
            arguments_sha256: hex(&digest),
            bytes: bytes as u64,
            unlisted: !listed,
        })))
        .map(drop)
    }

    /// A call that was in flight has ended; what it did alone.
    pub(super) fn call_ends(&self, call: &Call, ending: Ending) -> (Deeds, Result<(), Unwritable>) {
        let (summary, deeds) = self.emitter.calls().end(call.number);
        (deeds, self.call_end(call, ending, summary))
    }

    /// A call did what its tool declares not to do.
    pub(super) fn mismatch(&self, call: &Call, mismatch: Mismatch) -> Result<(), Unwritable> {
        let Mismatch { declared, did, what } = mismatch;
        let (path, host) = if did == "write" { (Some(what), None) } else { (None, Some(what)) };
        let (tool, call) = (call.tool.clone(), call.number);
        self.emit(&Event::ToolMismatch(Box::new(ToolMismatch { tool, call, declared, did, path, host })))
            .map(drop)
    }

    /// What became of a definition.
    pub(super) fn pin(&self, note: &Note) -> Result<(), Unwritable> {
        // The tool's name, or that of what is none.
        let of = |kind: Kind, name: &str| match kind {
            Kind::Instructions => (None, None),
            Kind::Tool => (Some(name.to_owned()), None),
            _ => (None, Some(name.to_owned())),
        };
        let names = |findings: &[Finding]| findings.iter().map(|finding| finding.name()).collect();
        let event = match note {
            Note::Defined { kind, name, sha256, findings } => {
                let (tool, name) = of(*kind, name);
                let (kind, sha256) = (kind.code(), sha256.clone());
                let findings = names(findings);
                Event::ToolDefined(Box::new(ToolDefined { kind, tool, name, sha256, findings }))
            }
            Note::Changed { change, sha256, findings, held } => {
                let (tool, name) = of(change.kind, &change.name);
                let (fate, renamed_from) = match &change.fate {
                    Fate::Added { renamed_from } => ("added", renamed_from.clone()),
                    Fate::Removed => ("removed", None),
                    Fate::Changed => ("changed", None),
                };
                let cut = |text: &Option<String>| {
                    let text = text.as_ref()?;
                    Some(visible(&self.without_secrets(text), DIFFERENCE))
                };
                let diff = change.differences.iter().take(DIFFERENCES).map(|it| PinDifference {
                    at: visible(&it.at, DIFFERENCE),
                    class: it.class.to_string(),
                    before: cut(&it.before),
                    after: cut(&it.after),
                });
                Event::ToolChanged(Box::new(ToolChanged {
                    kind: change.kind.code(),
                    tool,
                    name,
                    fate,
                    renamed_from,
                    sha256: sha256.clone(),
                    class: change.class.to_string(),
                    held: *held,
                    diff: diff.collect(),
                    findings: names(findings),
                }))
            }
            Note::Untold { count } => {
                let reason = "changes of definitions, beyond those that are told one by one".to_owned();
                Event::AuditLost(AuditLost { reason, count: *count })
            }
            Note::Full { kind } => {
                let reason = format!("more {}s than are pinned; those beyond have no line", kind.noun());
                Event::AuditDegraded(AuditDegraded { reason, count: 1 })
            }
        };
        self.emit(&event).map(drop)
    }

    /// Only the line `call.end`, for a call of which there was only the line `call.start`.
    pub(super) fn call_denied(&self, call: &Call, ending: Ending) -> Result<(), Unwritable> {
        self.call_end(call, ending, Summary { denied: 1, ..Summary::default() })
    }

    /// Only the line `call.end`, for a call that never reached the server and was not refused.
    pub(super) fn call_dropped(&self, call: &Call, outcome: Outcome) -> Result<(), Unwritable> {
        self.call_end(call, Ending::silent(outcome), Summary::default())
    }

    /// Somebody is asked about a call.
    pub(super) fn confirm_asked(&self, asked: ConfirmAsked) -> Result<(), Unwritable> {
        self.emit(&Event::ConfirmAsked(Box::new(asked))).map(drop)
    }

    /// Somebody answered, or nobody did.
    pub(super) fn confirm_answered(&self, answered: ConfirmAnswered) -> Result<(), Unwritable> {
        self.emit(&Event::ConfirmAnswered(Box::new(answered))).map(drop)
    }

    /// A call of which there was only the line `call.start` goes to the server.
    pub(super) fn call_goes_on(&self, number: u64) {
        self.emitter.calls().begin(number);
    }

    fn call_end(&self, call: &Call, ending: Ending, summary: Summary) -> Result<(), Unwritable> {
        self.emit(&Event::CallEnd(Box::new(CallEnd {
            call: call.number,
            tool: call.tool.clone(),
            outcome: ending.outcome,
            error_code: ending.error_code,
            duration_us: u64::try_from(call.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            bytes: ending.bytes as u64,
            summary,
            reason: ending.reason,
        })))
        .map(drop)
    }

    /// The server asks something of the client, and it will be passed on. `id` is JSON text: of a request its id, of what a
    /// result asks for its key.
    pub(super) fn request_begins(
        &self,
        request: u64,
        id: &str,
        method: &str,
        params: Option<&str>,
        bytes: usize,
    ) -> Result<(), Unwritable> {
        let recorded = match self.arguments {
            Arguments::Redacted | Arguments::Full => params.map(|raw| self.emitter.redact().arguments(raw)),
            Arguments::Shape => RawValue::from_string(shape::shape(params.map(Raw))).ok(),
            Arguments::None => None,
        };
        self.emit(&Event::RequestStart(Box::new(RequestStart {
            request,
            id: RawValue::from_string(id.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            method: method.to_owned(),
            params: recorded,
            bytes: bytes as u64,
        })))
        .map(drop)
    }

    /// The client answered what the server asked, or the server took it back.
    pub(super) fn request_ends(
        &self,
        asking: &Asking,
        outcome: &'static str,
        roots: Option<(u64, u64)>,
        bytes: usize,
    ) -> Result<(), Unwritable> {
        self.emit(&Event::RequestEnd(RequestEnd {
            request: asking.number,
            method: asking.method.clone(),
            outcome,
            shown: roots.map(|(shown, _)| shown),
            hidden: roots.map(|(_, hidden)| hidden),
            duration_us: u64::try_from(asking.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            bytes: bytes as u64,
        }))
        .map(drop)
    }

    /// A message was refused; `<session>:<seq>` of the line that says so, when it could be written.
    pub(super) fn denied(
        &self,
        direction: Direction,
        (method, tool): (Option<String>, Option<String>),
        refusal: &Refusal,
        bytes: u64,
    ) -> Option<String> {
        let denied = MessageDenied {
            direction,
            method,
            tool,
            reason: refusal.denial.reason,
            layer: refusal.denial.layer,
            detail: refusal.detail.clone(),
            remedy: refusal.denial.remedy.line().map(str::to_owned),
            why_not: refusal.denial.remedy.why_not().map(str::to_owned),
            bytes,
        };
        // Refused it is in any case; the failure itself was told to the session.
        let seq = self.emit(&Event::MessageDenied(Box::new(denied))).ok().flatten()?;
        Some(self.emitter.event_id(seq))
    }

    /// A line of the server's that is no message; its beginning, without secrets.
    pub(super) fn noise(&self, excerpts: &mut Excerpts, line: &[u8]) -> String {
        let excerpt = excerpts.of(self.emitter.redact(), line);
        let noise = StdoutNoise { bytes: line.len() as u64, excerpt: excerpt.clone() };
        let _ = self.emit(&Event::StdoutNoise(noise));
        excerpt
    }

    /// A line that is counted and not told.
    pub(super) fn pass_over(&self, excerpts: &mut Excerpts, line: &[u8]) {
        excerpts.pass_over(self.emitter.redact(), line);
    }

    /// A line of the server's stderr, `bytes` long.
    pub(super) fn stderr(&self, excerpts: &mut Excerpts, line: &[u8], bytes: u64) {
        let excerpt = excerpts.of(self.emitter.redact(), line);
        let _ = self.emit(&Event::StderrLine(StderrLine { bytes, excerpt }));
    }

    /// Lines of the server's stdout that were dropped without a line each.
    pub(super) fn lost(&self, count: u64) {
        self.lost_of(
            "lines of the server's stdout that were dropped, beyond the rate at which each is recorded",
            count,
        );
    }

    /// Lines of the server's stderr that were passed on without a line each.
    pub(super) fn lost_stderr(&self, count: u64) {
        self.lost_of("lines of the server's stderr, beyond the rate at which each is recorded", count);
    }

    /// Notifications and requests of the server's that were dropped in a flood.
    pub(super) fn lost_notifications(&self, count: u64) {
        self.lost_of("notifications and requests of the server's that were dropped in a flood", count);
    }

    fn lost_of(&self, reason: &str, count: u64) {
        if count > 0 {
            let _ = self.emit(&Event::AuditLost(AuditLost { reason: reason.into(), count }));
        }
    }

    /// A refusal as the client is told of it: what it names of the message may be a secret.
    pub(super) fn told(&self, refusal: &Refusal) -> Refusal {
        Refusal { detail: self.without_secrets(&refusal.detail), ..refusal.clone() }
    }

    /// Text without the session's secrets, for where it goes besides the log.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        self.emitter.redact().text(text)
    }

    /// Writes what is batched.
    pub(super) fn flush(&self) -> Result<(), Unwritable> {
        self.emitter.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
