//! Why a message goes no further: the denial, and the detail that a record and an answer show.

use crate::jsonrpc::{Class, ScanError};
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy};

/// Longest message to a client: TypeScript clients close the connection above 10 MiB, and want some room.
pub const CLIENT_LIMIT: u64 = 10 * 1024 * 1024 - 1024;

/// The line that would let a message of so many bytes pass.
fn longer(bytes: u64) -> Remedy {
    Remedy::Line(format!("protocol.max_message = \"{}MiB\"", bytes.div_ceil(1024 * 1024)))
}

/// A refusal of the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Reason, layer, remedy.
    pub denial: Denial,
    /// What was wrong and where, or which rule said so. May hold text of the peer's, not made visible.
    pub detail: String,
}

impl Refusal {
    /// A refusal of the gate's layer.
    pub fn new(reason: Reason, detail: impl Into<String>, remedy: Remedy) -> Self {
        Refusal { denial: Denial { reason, layer: Layer::Gate, remedy }, detail: detail.into() }
    }

    /// One for which nothing is proposed.
    pub(super) fn never(reason: Reason, detail: impl Into<String>, why_not: &str) -> Self {
        Refusal::new(reason, detail, Remedy::WhyNot(why_not.into()))
    }

    /// A line that the scanner refused.
    pub fn unreadable(error: &ScanError, max_depth: u32) -> Self {
        let detail = error.to_string();
        match error.fault.class() {
            Class::NotJson | Class::NotAMessage => {
                Refusal::never(Reason::MessageMalformed, detail, "only JSON-RPC messages are passed on")
            }
            Class::Ambiguous => Refusal::ambiguous(detail),
            Class::TooDeep => {
                let deeper = Remedy::Line(format!("protocol.max_depth = {}", max_depth.saturating_mul(2)));
                Refusal::new(Reason::MessageTooDeep, detail, deeper)
            }
            Class::Batch => Refusal::never(
                Reason::MessageBatch,
                detail,
                "only the protocol's version 2025-03-26 has batches",
            ),
        }
    }

    /// A message with more than one meaning.
    pub fn ambiguous(detail: impl Into<String>) -> Self {
        Refusal::never(
            Reason::MessageAmbiguous,
            detail,
            "two readers could take it for different messages, so that what is judged is not what is done",
        )
    }

    /// JSON-RPC, but not in a way that MCP has.
    pub(super) fn malformed(detail: &str) -> Self {
        Refusal::never(Reason::MessageMalformed, detail, "the protocol has no such message")
    }

    /// A message in the wrong direction.
    pub(super) fn direction(detail: &str) -> Self {
        Refusal::never(Reason::MessageDirection, detail, "this version of the protocol has no such message")
    }

    /// An answer to `tools/list`, or to another list, that is no such list to every reader.
    pub(super) fn no_list(noun: &str, detail: &str) -> Self {
        let why_not = format!(
            "what cannot be read cannot be judged: nobody would know which {noun}s the client was shown"
        );
        Refusal::never(Reason::MessageMalformed, format!("no list of {noun}s: {detail}"), &why_not)
    }

    /// A prompt, resource or template whose definition two readers could take for different ones.
    pub(super) fn ambiguous_definition(noun: &str, detail: &str) -> Self {
        let why_not =
            "two readers could take its definition for different ones; the server's author can repair it";
        Refusal::never(Reason::MessageAmbiguous, format!("the definition of this {noun}: {detail}"), why_not)
    }

    /// A prompt, resource or template whose definition is longer than what is kept.
    pub(super) fn long_definition(noun: &str, limit: usize) -> Self {
        let detail = format!("the definition of this {noun}: it is longer than {limit} bytes");
        Refusal::never(Reason::MessageTooLong, detail, "what is not kept cannot be compared later")
    }

    /// A tool that the server does not list.
    pub(super) fn unknown_tool(tool: &str) -> Self {
        let detail = format!("the server's list of tools has no \"{tool}\"");
        let why_not = "what a tool that was never shown does with its arguments cannot be known";
        Refusal::never(Reason::ToolUnknown, detail, why_not)
    }

    /// A tool whose definition two readers could take for different ones.
    pub(super) fn ambiguous_tool(detail: &str) -> Self {
        let why_not =
            "two readers could take its definition for different ones; the server's author can repair it";
        Refusal::never(Reason::ToolAmbiguous, format!("the definition of this tool: {detail}"), why_not)
    }

    /// Whether it is told to the client as a tool that is not there.
    pub fn is_unknown_tool(&self) -> bool {
        matches!(self.denial.reason, Reason::ToolUnknown | Reason::ToolAmbiguous)
    }

    /// An answer to a call that was ended before.
    pub fn late() -> Self {
        let detail = "an answer to a call that had timed out";
        Refusal::never(Reason::MessageLate, detail, "the client was told that the call had no answer in time")
    }

    /// An answer to what the server wants none to any more.
    pub(super) fn taken_back() -> Self {
        let detail = "an answer to a request that the server had taken back";
        Refusal::never(Reason::MessageLate, detail, "the server has forgotten the id")
    }

    /// A request of the server's before there is a client that it could know of.
    pub(super) fn too_early() -> Self {
        let detail = "a request from the server before the client's first one was answered";
        let why_not = "what a client can be asked for is known only then; the protocol has no request before";
        Refusal::never(Reason::RequestTooEarly, detail, why_not)
    }

    /// A request of the server's that no key of the profile names.
    pub(super) fn unknown_request(method: &str) -> Self {
        let detail = format!("servers have no request \"{method}\"");
        let why_not = "a profile has words for roots, elicitation and sampling; nothing else is passed on";
        Refusal::never(Reason::RequestUnknown, detail, why_not)
    }

    /// Something that the client cannot be asked for.
    pub(super) fn not_announced(method: &str) -> Self {
        let detail = format!("the client did not say that it can be asked \"{method}\" in this way");
        Refusal::never(Reason::RequestNotAnnounced, detail, "only the client can say so, when it connects")
    }

    /// A question of the server's that says our name.
    pub(super) fn impersonates(text: &str) -> Self {
        let detail = format!("a question to the user that looks like one of caponier's: \"{text}\"");
        let why_not = "whoever reads our name in a question must be able to rely on it that we ask";
        Refusal::never(Reason::RequestImpersonates, detail, why_not)
    }

    /// A question of the server's with a link that nobody should open.
    pub(super) fn link() -> Self {
        let detail = "a link that is no http or https address with a plain host, or that hides characters";
        let why_not = "the user could not see where it leads";
        Refusal::never(Reason::RequestUrl, detail, why_not)
    }

    /// A notification that is longer than any needs to be.
    pub fn long_notification(bytes: u64, limit: u64) -> Self {
        let detail = format!("a notification of {bytes} bytes; the limit is {limit}");
        Refusal::never(
            Reason::MessageTooLong,
            detail,
            "what is told by the way is short; a result may be longer",
        )
    }

    /// More requests of the server's than anyone answers.
    pub fn many_requests() -> Self {
        let detail = "more requests from the server than are passed on";
        Refusal::never(Reason::MessageTooMany, detail, "a flood would bury the client and its user")
    }

    /// More notifications than anyone reads.
    pub fn flood() -> Self {
        let detail = "more notifications than are passed on; those beyond are dropped and counted";
        Refusal::never(Reason::NotificationFlood, detail, "a flood would bury the client and its log")
    }

    /// An answer to nothing.
    pub(super) fn unasked(id: &str) -> Self {
        let detail = format!("an answer with the id {id}, with which nothing was asked");
        Refusal::never(Reason::MessageUnasked, detail, "an answer is passed on to whoever asked, once")
    }

    /// Too many requests at once that are no calls.
    pub(super) fn too_many_requests(limit: usize) -> Self {
        let detail = format!("{limit} requests are in flight");
        Refusal::never(Reason::MessageTooMany, detail, "what cannot be kept track of is not passed on")
    }

    /// Too many calls at once.
    pub(super) fn too_many(limit: usize) -> Self {
        let detail = format!("{limit} calls are in flight");
        Refusal::never(Reason::CallTooMany, detail, "what cannot be kept track of is not passed on")
    }

    /// A line of the client's over `limit` bytes.
    pub fn too_long(bytes: u64, limit: u64) -> Self {
        let detail = format!("{bytes} bytes; the limit is {limit}");
        Refusal::new(Reason::MessageTooLong, detail, longer(bytes))
    }

    /// A line for the client over `limit` bytes, with a result in it or without.
    pub fn too_long_for_client(bytes: u64, limit: u64, has_result: bool) -> Self {
        let reason = if has_result { Reason::ResultTooLong } else { Reason::MessageTooLong };
        let detail = format!("{bytes} bytes; the limit is {limit}");
        if bytes > CLIENT_LIMIT {
            return Refusal::never(reason, detail, "clients close the connection at longer messages");
        }
        Refusal::new(reason, detail, longer(bytes))
    }

    /// The log could not be written.
    pub fn unwritable(detail: &str) -> Self {
        Refusal::never(
            Reason::AuditUnwritable,
            detail,
            "nothing goes on unrecorded; make room in the audit folder, or make it writable",
        )
    }

    /// The gate itself failed at this message.
    pub fn unjudged() -> Self {
        let detail = "the judgement of this message failed inside caponier";
        Refusal::never(
            Reason::MessageUnjudged,
            detail,
            "what was not judged is not passed on; please report it",
        )
    }

    /// A message that stood in a batch together with a refused one.
    pub fn with_batch(reason: Reason) -> Self {
        let detail = "another message of the same batch was refused";
        Refusal::never(reason, detail, "a batch is passed on whole or not at all")
    }
}
