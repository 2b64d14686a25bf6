//! What the client gets instead of what was refused.
//!
//! A refused call gets a *result* with `isError`, because clients show a model results and hide errors from it. The
//! text helps the model to go on without the tool and names the rule for the user; how to get round the rule it does
//! not say. Everything else that was refused gets a JSON-RPC error. Notifications and answers get nothing.

use serde_json::Value;

use crate::jsonrpc::Class;
use crate::mcp::refusal::Refusal;
use crate::mcp::visible::visible;
use crate::policy::reason::Reason;

/// The member of `_meta` that names our decision.
const DECISION: &str = "io.github.caponier/decision";
/// For what is well formed and refused all the same: outside the range that JSON-RPC and MCP keep.
const REFUSED: i64 = -31_000;
/// JSON-RPC: there is no such method.
const NO_METHOD: i64 = -32_601;
/// JSON-RPC: invalid params.
const INVALID_PARAMS: i64 = -32_602;

/// Where a refusal is written down: `<session>:<seq>`, when it could be.
pub type EventId<'a> = Option<&'a str>;

/// The result of a refused call, without a line end. `id` is its JSON text.
pub fn refused_call(id: &str, tool: &str, modern: bool, refusal: &Refusal, event: EventId<'_>) -> String {
    let kind = if modern { r#","resultType":"complete""# } else { "" };
    let text = Value::from(call_text(tool, refusal, event));
    let decision = decision(refusal, event);
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":{text}}}],"isError":true{kind},"_meta":{{"{DECISION}":{decision}}}}}}}"#
    )
}

/// What the server is told of a call that is given up. `id` is its JSON text; the line has its end.
pub fn cancelled(id: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id},\"reason\":\"no answer in \
         time\"}}}}\n"
    )
}

/// What the server is told of a task that is given up: a request of ours, its line end included. `id` is its JSON text.
pub fn cancel_task(id: &str, task: &str, modern: bool) -> String {
    let mut params = serde_json::json!({ "taskId": task });
    if modern {
        params["_meta"] = serde_json::json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "caponier", "version": env!("CARGO_PKG_VERSION")},
            "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
        });
    }
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tasks/cancel\",\"params\":{params}}}\n")
}

/// The error for another refused message. `id` is its JSON text, `None` when it could not be read.
pub fn refused_request(id: Option<&str>, refusal: &Refusal, code: i64, event: EventId<'_>) -> String {
    let message = Value::from(format!(
        "caponier refused this message ({}): {}",
        refusal.denial.reason,
        visible(&refusal.detail, 300)
    ));
    let decision = decision(refusal, event);
    let id = id.unwrap_or("null");
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message},"data":{{"{DECISION}":{decision}}}}}}}"#
    )
}

/// The error for a refused request of the server's, its line end included. It names the reason and nothing of the
/// user's: no file, no rule, no session.
pub fn refused_to_server(id: &str, reason: Reason, code: i64) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{code},\"message\":\"caponier refused this request \
         ({reason})\",\"data\":{{\"{DECISION}\":{{\"id\":null,\"reason\":\"{reason}\"}}}}}}}}\n"
    )
}

/// The error for a call of a tool that the client was not shown, as a server would say it.
pub fn unknown_tool(id: &str, tool: &str, refusal: &Refusal, event: EventId<'_>) -> String {
    let message = Value::from(format!("Unknown tool: {}", visible(tool, 128)));
    let decision = decision(refusal, event);
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{INVALID_PARAMS},"message":{message},"data":{{"{DECISION}":{decision}}}}}}}"#
    )
}

/// The code of the error: `-32700` for what is no JSON, `-32600` for what is no request that has one meaning, our own
/// for what is refused for another cause.
pub fn code(refusal: &Refusal, class: Option<Class>) -> i64 {
    match (class, refusal.denial.reason) {
        (Some(Class::NotJson), _) => -32_700,
        (_, Reason::RequestUnknown | Reason::RequestNotAnnounced) => NO_METHOD,
        (_, Reason::ConfirmState) => INVALID_PARAMS,
        (
            _,
            Reason::MessageMalformed
            | Reason::MessageAmbiguous
            | Reason::MessageTooLong
            | Reason::MessageTooDeep
            | Reason::MessageBatch
            | Reason::MessageDirection,
        ) => -32_600,
        _ => REFUSED,
    }
}

fn decision(refusal: &Refusal, event: EventId<'_>) -> Value {
    serde_json::json!({ "id": event, "reason": refusal.denial.reason })
}

/// What the model reads.
fn call_text(tool: &str, refusal: &Refusal, event: EventId<'_>) -> String {
    let tool = visible(tool, 128);
    let reason = refusal.denial.reason;
    let detail = visible(&refusal.detail, 300);
    let what = match reason {
        Reason::ResultTooLong | Reason::ResultOverLimit => format!(
            "The tool \"{tool}\" answered with more than can be passed on ({detail}). Ask for less at a time: a \
             smaller range, fewer items, or a filter."
        ),
        Reason::RequestDenied
        | Reason::RequestNotAnnounced
        | Reason::RequestUnknown
        | Reason::RequestImpersonates
        | Reason::RequestUrl => format!(
            "The tool \"{tool}\" did not finish: before it answers it asks for something that it is not given ({reason}). \
             Trying again gives the same answer. Go on without this tool, or tell the user what you needed it for."
        ),
        Reason::AuditUnwritable => format!(
            "The tool \"{tool}\" was refused because the record of calls cannot be written at the moment. Tell the \
             user; trying again helps only after they have repaired it."
        ),
        Reason::PinChanged => format!(
            "The tool \"{tool}\" was not run: the server describes it otherwise than when the user first saw it, and they \
             have not approved that yet. Go on without this tool, and tell the user that it waits for their approval."
        ),
        Reason::ToolDenied | Reason::ToolNotListed => format!(
            "The tool \"{tool}\" was not run: the user's policy for this server does not allow it. Trying again gives \
             the same answer. Go on without this tool, or tell the user what you needed it for."
        ),
        Reason::ArgsUnknownField | Reason::ArgsMissing | Reason::ArgsType | Reason::ArgsValue => format!(
            "The tool \"{tool}\" was not run: {detail}. Call it with the arguments that its description lists, or go on \
             without it."
        ),
        Reason::ArgsUnjudged => format!(
            "The tool \"{tool}\" was not run: {detail}. Simpler or smaller arguments may pass; else go on without it."
        ),
        Reason::ConfirmRefused => format!(
            "The tool \"{tool}\" was not run: the user was asked about this call and did not allow it. Do not call it with these \
             arguments again unless the user wants you to; go on without it."
        ),
        Reason::ConfirmTimeout => format!(
            "The tool \"{tool}\" was not run: the user was asked about this call and has not answered in time. Tell the user that \
             it waits for their answer before you call it again, or go on without it."
        ),
        Reason::ConfirmUnavailable | Reason::ConfirmTooMany => format!(
            "The tool \"{tool}\" was not run: the user has to allow each call of it, and could not be asked now. Go on without it, \
             or tell the user what you needed it for."
        ),
        Reason::CallTooMany | Reason::RateConcurrent => format!(
            "The tool \"{tool}\" was not run: too many calls are in flight. Wait for their answers before you call another."
        ),
        Reason::RateExceeded => format!(
            "The tool \"{tool}\" was not run: it is called more often than the user allows. Wait before you call it again, \
             or go on without it."
        ),
        Reason::CallTimeout => format!(
            "The tool \"{tool}\" gave no answer in time, and the call was ended. Whether it had an effect is not known. Ask \
             for less at a time, or go on without it."
        ),
        Reason::ArgsPathOutside => format!(
            "The tool \"{tool}\" was not run: a path in its arguments lies outside of what the user shares with this \
             server. Use paths inside of it, go on without them, or tell the user what you needed."
        ),
        Reason::ArgsExtension
        | Reason::ArgsPrefix
        | Reason::ArgsPattern
        | Reason::ArgsTooLong
        | Reason::ArgsNotOneOf
        | Reason::ArgsHost
        | Reason::ArgsTooMany => format!(
            "The tool \"{tool}\" was not run: the user's policy for this server does not allow these arguments. Call it \
             with others if that serves the task, or go on without it."
        ),
        _ => format!(
            "The call of the tool \"{tool}\" was refused and has no result. Go on without it, or tell the user."
        ),
    };
    let record = match event {
        Some(event) => {
            let session = event.split(':').next().unwrap_or(event);
            format!(" Record: {event} (caponier audit query --denied --session {session})")
        }
        None => String::new(),
    };
    format!("{what}\n\nFor the user: {reason}, {detail}.{record}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::verdict::Remedy;

    fn refusal() -> Refusal {
        Refusal::new(
            Reason::ToolDenied,
            "tools.deny has \"write_*\" (fs.toml:3:9)",
            Remedy::Line("x = \"secret way round\"".into()),
        )
    }

    #[test]
    fn a_refused_call_gets_a_result() {
        for modern in [false, true] {
            let line = refused_call(r#""\u0061""#, "write\u{1b}[2J\"", modern, &refusal(), Some("01K:42"));
            let answer: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(answer["id"], "a");
            assert!(line.contains(r#""id":"\u0061""#), "the id's own bytes: {line}");
            assert_eq!(answer["result"]["isError"], true);
            assert_eq!(answer["result"].get("resultType").is_some(), modern);
            assert_eq!(
                answer["result"]["_meta"][DECISION],
                serde_json::json!({"id":"01K:42","reason":"tool.denied"})
            );
            let text = answer["result"]["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(r#""write\u{1b}[2J"""#) && text.contains("fs.toml:3:9"), "{text}");
            assert!(!text.contains("way round"), "{text}");
        }
    }

    #[test]
    fn another_request_gets_an_error() {
        let refusal = Refusal::ambiguous("twice\u{202e}");
        let answer: Value = serde_json::from_str(&refused_request(None, &refusal, -32600, None)).unwrap();
        assert_eq!(answer["id"], Value::Null);
        assert_eq!(answer["error"]["code"], -32600);
        assert!(answer["error"]["message"].as_str().unwrap().contains("twice\\u{202e}"));
        assert_eq!(answer["error"]["data"][DECISION]["id"], Value::Null);
    }

    #[test]
    fn codes_tell_no_json_from_no_request() {
        let malformed = Refusal::malformed("x");
        assert_eq!(code(&malformed, Some(Class::NotJson)), -32_700);
        assert_eq!(code(&malformed, Some(Class::NotAMessage)), -32_600);
        assert_eq!(code(&Refusal::unwritable("x"), None), -31_000);
    }
}
