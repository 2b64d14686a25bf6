//! One line read as a message: the envelope member by member, in one pass.
//!
//! Every refusal that is not a matter of grammar is made here. `null` for `params`, `arguments` or `_meta` counts as
//! absent, as every reader takes it.

use crate::jsonrpc::fault::{Fault, ScanError};
use crate::jsonrpc::fold;
use crate::jsonrpc::id::Id;
use crate::jsonrpc::message::{
    Body, Invocation, Limits, Message, Params, Payload, Raw, Reply, Response, TOOLS_CALL, TOOLS_LIST,
};
use crate::jsonrpc::scan::{Key, Names, Scanner};

/// Levels that no setting goes beyond: readers with a stack give up at about this depth.
const DEPTH_CEILING: u32 = 10_000;
/// The member of `_meta` that tells the eras apart (MCP 2026-07-28).
const ERA: &str = "io.modelcontextprotocol/protocolVersion";
/// The member of `_meta` that says what the client can be asked (MCP 2026-07-28).
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// What a result asks the client for (MCP 2026-07-28).
const INPUT_REQUESTS: &str = "inputRequests";
/// Members of the envelope.
const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
/// Members of `params` that are read here.
const PARAMS: [&str; 12] = [
    "name",
    "uri",
    "arguments",
    "_meta",
    "requestId",
    "cursor",
    "protocolVersion",
    "task",
    "taskId",
    "capabilities",
    "inputResponses",
    "requestState",
];

/// Reads one line (without its line end) as a message or, where `limits` has batches, as several.
///
/// # Errors
/// Whatever makes it something else than exactly one thing to every reader; see [`Fault`].
pub fn scan(line: &[u8], limits: Limits) -> Result<Payload<'_>, ScanError> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(line, error.valid_up_to())),
    };
    let mut scanner = Scanner::new(text, limits.max_depth.min(DEPTH_CEILING));
    if text.starts_with('\u{feff}') {
        return Err(scanner.fault(Fault::ByteOrderMark));
    }
    scanner.space()?;
    match scanner.peek() {
        None => Err(scanner.fault(Fault::Empty)),
        Some(b'{') => {
            let message = message(&mut scanner)?;
            scanner.end().map(|()| Payload::Single(message))
        }
        Some(b'[') if is_batch(text) => batch(&mut scanner, limits.max_batch).map(Payload::Batch),
        Some(_) => Err(no_message(&mut scanner)),
    }
}

/// Whether a line at whose head is `[` means to be a batch, and not a log line like `[12] ready`.
fn is_batch(text: &str) -> bool {
    text.trim_start().strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'))
}

/// Another JSON value, or no JSON.
fn no_message(scanner: &mut Scanner<'_>) -> ScanError {
    let offset = scanner.offset();
    let fault = match scanner.value(Names::Any).and_then(|_| scanner.end()) {
        Ok(()) => Fault::NotAnObject,
        Err(_) => Fault::Expected("a message"),
    };
    ScanError { offset, fault }
}

/// A line that means to be a message is ambiguous (some readers replace the bad bytes); any other is no JSON.
fn not_utf8(line: &[u8], offset: usize) -> ScanError {
    let fault = match line.trim_ascii_start().first() {
        Some(b'{' | b'[') => Fault::InvalidUtf8,
        _ => Fault::Expected("UTF-8"),
    };
    ScanError { offset, fault }
}

/// The elements of a batch.
fn batch<'a>(scanner: &mut Scanner<'a>, max: usize) -> Result<Vec<Message<'a>>, ScanError> {
    let mut messages = Vec::new();
    if max == 0 {
        scanner.value(Names::Any)?;
        scanner.end()?;
        return Err(ScanError { offset: 0, fault: Fault::Batch });
    }
    scanner.array(|scanner| {
        if messages.len() == max {
            return Err(scanner.fault(Fault::BatchTooLong(max)));
        }
        if scanner.peek() != Some(b'{') {
            let offset = scanner.offset();
            scanner.value(Names::Any)?;
            return Err(ScanError { offset, fault: Fault::NotAnObject });
        }
        messages.push(message(scanner)?);
        Ok(())
    })?;
    scanner.end().map(|()| messages)
}

/// One message, at its `{`.
fn message<'a>(scanner: &mut Scanner<'a>) -> Result<Message<'a>, ScanError> {
    let offset = scanner.offset();
    let mut envelope = Envelope::default();
    let raw = scanner.object(|scanner, key| envelope.member(scanner, &key))?;
    match envelope.body() {
        Ok(body) => Ok(Message { raw, body }),
        Err((at, fault)) => Err(ScanError { offset: at.unwrap_or(offset), fault }),
    }
}

/// The members of an envelope as they come, in any order.
#[derive(Debug, Default)]
struct Envelope<'a> {
    version: Option<&'a str>,
    id: Option<(&'a str, usize)>,
    method: Option<(&'a str, usize)>,
    params: Option<Params<'a>>,
    params_offset: usize,
    result: Option<Reply<'a>>,
    error: Option<Reply<'a>>,
}

/// A fault, and where it is when that is not the head of the message.
type Placed = (Option<usize>, Fault);

impl<'a> Envelope<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: &Key<'a>) -> Result<(), ScanError> {
        let offset = scanner.offset();
        match &*key.name {
            "jsonrpc" => self.version = Some(scanner.value(Names::Once)?),
            "id" => self.id = Some((scanner.value(Names::Once)?, offset)),
            "method" => self.method = Some((scanner.value(Names::Once)?, offset)),
            "params" => {
                self.params_offset = offset;
                self.params = params(scanner)?;
            }
            "result" => self.result = Some(result(scanner)?),
            "error" => self.error = Some(error(scanner)?),
            _ => {
                if let Some(meant) = misspelt(key, &ENVELOPE) {
                    return Err(ScanError { offset: key.offset, fault: Fault::Misspelt(meant) });
                }
                scanner.value(Names::Once)?;
            }
        }
        Ok(())
    }

    fn body(self) -> Result<Body<'a>, Placed> {
        if self.version.map(Raw).and_then(Raw::string).as_deref() != Some("2.0") {
            return Err((None, Fault::Version));
        }
        match (self.method, self.result, self.error) {
            (Some(_), Some(_), _) => Err((None, Fault::Both("method", "result"))),
            (Some(_), _, Some(_)) => Err((None, Fault::Both("method", "error"))),
            (_, Some(_), Some(_)) => Err((None, Fault::Both("result", "error"))),
            (None, Some(reply), None) => {
                let id = id(self.id)?.ok_or((None, Fault::Missing("id")))?;
                Ok(Body::Response(Response { id: Some(id), reply }))
            }
            (None, None, Some(reply)) => Ok(Body::Response(Response { id: id(self.id)?, reply })),
            (None, None, None) => Err((None, Fault::Missing("method"))),
            (Some((method, at)), None, None) => {
                let method =
                    Raw(method).string().ok_or((Some(at), Fault::WrongType("method", "a string")))?;
                if method.contains('\0') {
                    return Err((Some(at), Fault::NulInName));
                }
                let params = self.params.unwrap_or_default();
                params.check(&method).map_err(|(at, fault)| (at.or(Some(self.params_offset)), fault))?;
                let invocation = Invocation { method, params };
                match (self.id, id(self.id)?) {
                    (None, _) => Ok(Body::Notification(invocation)),
                    (Some((_, at)), None) => Err((Some(at), Fault::NullId)),
                    (Some(_), Some(id)) => Ok(Body::Request(id, invocation)),
                }
            }
        }
    }
}

/// The id as it was sent; `None` when there is none or it is `null`.
fn id<'a>(raw: Option<(&'a str, usize)>) -> Result<Option<Id<'a>>, Placed> {
    let Some((raw, at)) = raw.filter(|(raw, _)| *raw != "null") else { return Ok(None) };
    match raw.as_bytes().first() {
        Some(b'"' | b'-' | b'0'..=b'9') => Id::parse(raw).map(Some).ok_or((Some(at), Fault::UnusableId)),
        _ => Err((Some(at), Fault::WrongType("id", "a string or a number"))),
    }
}

/// Which of `names` the key is, but for its case.
fn misspelt(key: &Key<'_>, names: &[&'static str]) -> Option<&'static str> {
    names.iter().copied().find(|name| fold::ascii(name) == key.folded && *name != key.name)
}

/// `params`: an object, or `null` for none.
fn params<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Params<'a>>, ScanError> {
    if !is_object(scanner, "params")? {
        return Ok(None);
    }
    let mut params = Params::default();
    let whole = scanner.object(|scanner, key| {
        let slot = match &*key.name {
            "name" => &mut params.name,
            "uri" => &mut params.uri,
            "arguments" => &mut params.arguments,
            "requestId" => &mut params.request_id,
            "cursor" => &mut params.cursor,
            "protocolVersion" => &mut params.protocol_version,
            "task" => &mut params.task,
            "taskId" => &mut params.task_id,
            "capabilities" => &mut params.capabilities,
            "inputResponses" => &mut params.input_responses,
            "requestState" => &mut params.request_state,
            "_meta" => {
                meta(scanner, &mut params)?;
                return Ok(());
            }
            _ => {
                params.misspelt =
                    params.misspelt.or(misspelt(&key, &PARAMS).map(|meant| (meant, key.offset)));
                return scanner.value(Names::Once).map(drop);
            }
        };
        *slot = Some(Raw(scanner.value(Names::Once)?));
        Ok(())
    })?;
    params.raw = Some(Raw(whole));
    Ok(Some(params))
}

/// The members of `_meta` that the modern era has.
fn meta<'a>(scanner: &mut Scanner<'a>, params: &mut Params<'a>) -> Result<(), ScanError> {
    if is_object(scanner, "_meta")? {
        scanner.object(|scanner, key| {
            params.modern |= key.name == ERA;
            if let Some(meant) = misspelt(&key, &[ERA, CAPABILITIES]) {
                return Err(ScanError { offset: key.offset, fault: Fault::Misspelt(meant) });
            }
            let value = scanner.value(Names::Once)?;
            if key.name == CAPABILITIES {
                params.capabilities = Some(Raw(value));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// True at an object; false past a `null`; anything else is of the wrong type.
fn is_object(scanner: &mut Scanner<'_>, member: &'static str) -> Result<bool, ScanError> {
    if scanner.peek() == Some(b'{') {
        return Ok(true);
    }
    let offset = scanner.offset();
    match scanner.value(Names::Once)? {
        "null" => Ok(false),
        _ => Err(ScanError { offset, fault: Fault::WrongType(member, "an object") }),
    }
}

impl Params<'_> {
    /// What a `tools/call` needs to mean one thing only.
    fn check(&self, method: &str) -> Result<(), Placed> {
        if let Some((meant, at)) = self.misspelt {
            // Elsewhere these may be names of something else; `_meta` means the same everywhere.
            let decides = match meant {
                "_meta" | "inputResponses" | "requestState" => true,
                "taskId" => method.starts_with("tasks/"),
                "uri" => method.starts_with("resources/"),
                "cursor" => method.ends_with("/list"),
                _ => matches!(method, "prompts/get" | "initialize" | "notifications/cancelled"),
            };
            if decides || matches!(method, TOOLS_CALL | TOOLS_LIST) {
                return Err((Some(at), Fault::Misspelt(meant)));
            }
        }
        if method != TOOLS_CALL {
            return Ok(());
        }
        match self.name.map(Raw::string) {
            None => return Err((None, Fault::Missing("name"))),
            Some(None) => return Err((None, Fault::WrongType("name", "a string"))),
            Some(Some(name)) if name.contains('\0') => return Err((None, Fault::NulInName)),
            Some(Some(_)) => {}
        }
        match self.arguments {
            Some(Raw(arguments)) if arguments != "null" && !arguments.starts_with('{') => {
                Err((None, Fault::WrongType("arguments", "an object")))
            }
            _ => Ok(()),
        }
    }
}

/// `result`: an object, whose own members are compared, but not those within.
fn result<'a>(scanner: &mut Scanner<'a>) -> Result<Reply<'a>, ScanError> {
    let (mut is_error, mut protocol_version) = (false, None);
    let (mut result_type, mut input_requests) = (None, None);
    if !is_object(scanner, "result")? {
        return Err(scanner.fault(Fault::WrongType("result", "an object")));
    }
    let whole = scanner.object(|scanner, key| {
        let raw = scanner.value(Names::Any)?;
        match &*key.name {
            "isError" => is_error = raw == "true",
            "protocolVersion" => protocol_version = Some(Raw(raw)),
            "resultType" => result_type = Some(Raw(raw)),
            // A reader that folds case takes it for the same.
            _ if key.folded == fold::ascii(INPUT_REQUESTS) => input_requests = Some(Raw(raw)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Reply::Result { is_error, protocol_version, result_type, input_requests, raw: Raw(whole) })
}

/// `error`: an object.
fn error<'a>(scanner: &mut Scanner<'a>) -> Result<Reply<'a>, ScanError> {
    let (mut code, mut data) = (None, None);
    if !is_object(scanner, "error")? {
        return Err(scanner.fault(Fault::WrongType("error", "an object")));
    }
    scanner.object(|scanner, key| {
        let raw = scanner.value(Names::Any)?;
        match &*key.name {
            "code" => code = raw.parse().ok(),
            "data" => data = Some(Raw(raw)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Reply::Error { code, data })
}
