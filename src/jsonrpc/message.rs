//! A message as a policy relay sees it: the kind, the id, and the few members that decide something.
//!
//! Everything is a slice of the line; only names with escapes are copied. What is not named here was checked and is
//! left alone.

use std::borrow::Cow;

use crate::jsonrpc::id::Id;
use crate::jsonrpc::strings;

/// What a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting; the message itself is level 1, or 2 within a batch.
    pub max_depth: u32,
    /// Most messages in a batch; 0 where the protocol has no batches.
    pub max_batch: usize,
}

/// What one line holds.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one at a time, on the stack; nearly every one is a single message"
)]
pub enum Payload<'a> {
    /// One message.
    Single(Message<'a>),
    /// The elements of a batch, at least one.
    Batch(Vec<Message<'a>>),
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Its text, from `{` to `}`.
    pub raw: &'a str,
    /// What it is.
    pub body: Body<'a>,
}

/// The kinds of messages.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// Asks for an answer.
    Request(Id<'a>, Invocation<'a>),
    /// Asks for none.
    Notification(Invocation<'a>),
    /// An answer.
    Response(Response<'a>),
}

/// The method and what goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation<'a> {
    /// Escapes decoded.
    pub method: Cow<'a, str>,
    /// The members of `params` that matter; empty when there are none.
    pub params: Params<'a>,
}

/// The JSON text of a value that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(pub &'a str);

/// Members of `params`, whatever the method.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params<'a> {
    /// `name`: the tool of a `tools/call` (then it is a string), or the prompt of a `prompts/get`.
    pub name: Option<Raw<'a>>,
    /// `arguments` (an object in a `tools/call`).
    pub arguments: Option<Raw<'a>>,
    /// `requestId`: what a `notifications/cancelled` takes back.
    pub request_id: Option<Raw<'a>>,
    /// `uri`: the resource of a `resources/read`.
    pub uri: Option<Raw<'a>>,
    /// `cursor`: which page of a list is asked for; none for the first.
    pub cursor: Option<Raw<'a>>,
    /// `task` of a `tools/call`: the answer names a task, whose result is asked for later.
    pub task: Option<Raw<'a>>,
    /// `taskId`: which task is asked about.
    pub task_id: Option<Raw<'a>>,
    /// `protocolVersion` of an `initialize`.
    pub protocol_version: Option<Raw<'a>>,
    /// What the client can be asked: `capabilities` of an `initialize`, or the member of `_meta` that every request of the
    /// modern era has.
    pub capabilities: Option<Raw<'a>>,
    /// `inputResponses`: what the client answers to what a server asked in a result.
    pub input_responses: Option<Raw<'a>>,
    /// `requestState`: what a result that asked for something gave the client to hand back.
    pub request_state: Option<Raw<'a>>,
    /// All of it.
    pub raw: Option<Raw<'a>>,
    /// Whether `_meta` carries the protocol version, as every request of the modern era does.
    pub modern: bool,
    /// A name that differs from one of the above only in case, and where it stands.
    pub(super) misspelt: Option<(&'static str, usize)>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Response<'a> {
    /// `None` only in an error about a request whose id could not be read.
    pub id: Option<Id<'a>>,
    /// What it says.
    pub reply: Reply<'a>,
}

/// A result or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `result`.
    Result {
        /// Whether `isError` is `true`.
        is_error: bool,
        /// `protocolVersion`, in the answer to an `initialize`.
        protocol_version: Option<Raw<'a>>,
        /// `resultType`, in the modern era.
        result_type: Option<Raw<'a>>,
        /// `inputRequests`, in whatever case: what the server asks before it answers.
        input_requests: Option<Raw<'a>>,
        /// All of it.
        raw: Raw<'a>,
    },
    /// `error`.
    Error {
        /// Its `code`, when that is an integer.
        code: Option<i64>,
        /// Its `data`.
        data: Option<Raw<'a>>,
    },
}

impl<'a> Raw<'a> {
    /// What it says, when it is a string.
    pub fn string(self) -> Option<Cow<'a, str>> {
        self.0.strip_prefix('"')?.strip_suffix('"').map(strings::unescape)
    }

    /// The id, when it is one.
    pub fn id(self) -> Option<Id<'a>> {
        Id::parse(self.0)
    }
}

impl<'a> Invocation<'a> {
    /// The tool that this calls, if it is a `tools/call`.
    pub fn tool(&self) -> Option<Cow<'a, str>> {
        if self.method != TOOLS_CALL {
            return None;
        }
        self.params.name.and_then(Raw::string)
    }
}

impl<'a> Message<'a> {
    /// The method, unless this is an answer.
    pub fn method(&self) -> Option<&str> {
        match &self.body {
            Body::Request(_, invocation) | Body::Notification(invocation) => Some(&invocation.method),
            Body::Response(_) => None,
        }
    }

    /// The tool of a `tools/call`.
    pub fn tool(&self) -> Option<Cow<'a, str>> {
        match &self.body {
            Body::Request(_, invocation) | Body::Notification(invocation) => invocation.tool(),
            Body::Response(_) => None,
        }
    }
}

/// The method that calls a tool.
pub(super) const TOOLS_CALL: &str = "tools/call";
/// The method that lists them.
pub const TOOLS_LIST: &str = "tools/list";
