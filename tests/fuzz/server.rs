//! The other direction: a server that is asked something of every kind, and says anything. What passes is asked for by a
//! method that the profile allows, says nothing under our name, answers what was asked and no more than once; of a list
//! that was filtered every entry is one of the server's, and none is held back or denied.

use std::time::Instant;

use caponier::jsonrpc::{Body, Limits, Message, Payload, scan};
use caponier::mcp::answer;
use caponier::mcp::gate::{Arrival, Gate, Judgement};
use caponier::mcp::pending::Asked;
use caponier::mcp::pins::known::Known;
use caponier::mcp::pins::watch::Watch;
use caponier::mcp::pins::{Kind, Value as Definition, compare_one};
use caponier::policy::grant::Origin;
use caponier::policy::tools::{ToolPattern, Tools};
use serde_json::{Value, json};

use crate::targets::{gate_of, is_json};

const LIMITS: Limits = Limits { max_depth: 64, max_batch: 8 };
const KINDS: [Kind; 4] = [Kind::Tool, Kind::Prompt, Kind::Resource, Kind::ResourceTemplate];

/// What was pinned of the server: `a` and `b` of each kind, and its instructions.
fn known() -> Known {
    let mut known = Known { whole: KINDS.into(), ..Known::default() };
    for kind in KINDS {
        for name in ["a", "b"] {
            let pinned = json!({kind.key(): name, "name": name, "description": "d", "inputSchema": {"type": "object"}});
            known.pinned.put(kind, name, definition(&pinned));
        }
    }
    known.pinned.put(Kind::Instructions, "", Definition::String("Do well.".into()));
    known
}

fn definition(value: &Value) -> Definition {
    Definition::parse(&value.to_string(), usize::MAX).expect("JSON")
}

fn message(line: &str) -> Message<'_> {
    match scan(line.as_bytes(), LIMITS) {
        Ok(Payload::Single(message)) => message,
        other => panic!("{line}: {other:?}"),
    }
}

/// A session in which everything was asked that is answered in some way of its own, with the ids 1 to 9.
fn talk(modern: bool) -> Gate {
    let origin = Origin::caponier();
    let tools = Tools { deny: vec![ToolPattern { glob: "write_*".into(), origin }], ..Tools::default() };
    let mut gate = gate_of(&tools);
    gate.watch(Watch::new("s", true, known()));
    let all = json!({"roots": {}, "sampling": {}, "elicitation": {"form": {}, "url": {}}, "tasks": {}});
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": all});
    let mut ask = |id: u32, method: &str, mut params: Value| {
        if modern {
            params["_meta"] = meta.clone();
        }
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        let (message, now) = (message(&line), Instant::now());
        match gate.judge_client(&message, now) {
            Judgement::Pass(permit) => drop(gate.admit(permit, &message, now)),
            Judgement::Refuse(refusal) => panic!("{line}: {refusal:?}"),
        }
    };
    if !modern {
        ask(0, "initialize", json!({"protocolVersion": "2025-11-25", "capabilities": all}));
    }
    ask(1, "server/discover", json!({}));
    for (id, kind) in (2..).zip(KINDS) {
        ask(id, kind.list().expect("a list").0, json!({}));
    }
    ask(6, "tools/call", json!({"name": "a"}));
    ask(7, "tools/call", json!({"name": "b", "task": {"ttl": 1}}));
    ask(8, "tasks/get", json!({"taskId": "t"}));
    ask(9, "prompts/get", json!({"name": "a"}));
    if !modern {
        let greeting = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}"#;
        let greeting = message(greeting);
        match (gate.judge_server(&greeting), &greeting.body) {
            (Judgement::Pass(permit), Body::Response(response)) => drop(gate.arrive(permit, response)),
            other => panic!("{other:?}"),
        }
    }
    gate
}

/// A line of the server's, in a session of either era.
pub(crate) fn server(line: &[u8]) -> bool {
    let messages = match scan(line, LIMITS) {
        Ok(Payload::Single(message)) => vec![message],
        Ok(Payload::Batch(messages)) => messages,
        Err(_) => return false,
    };
    let mut deep = false;
    for modern in [false, true] {
        let mut gate = talk(modern);
        for message in &messages {
            // What serde_json does not hold is looked into elsewhere.
            if let Ok(value) = serde_json::from_str(message.raw) {
                deep |= hears(&mut gate, message, &value, modern);
            }
        }
    }
    deep
}

fn hears(gate: &mut Gate, message: &Message<'_>, value: &Value, modern: bool) -> bool {
    let permit = match gate.judge_server(message) {
        Judgement::Refuse(refusal) => {
            for text in [
                answer::refused_call("1", "t", modern, &refusal, None),
                answer::refused_request(Some("1"), &refusal, -31_000, None),
                answer::refused_to_server("1", refusal.denial.reason, -31_000),
            ] {
                assert!(is_json(&text) && !text.trim_end().contains('\n'), "{text}");
            }
            return false;
        }
        Judgement::Pass(permit) => permit,
    };
    match &message.body {
        Body::Response(response) => {
            let Some(arrival) = gate.arrive(permit, response) else { return false };
            assert!(matches!(gate.judge_server(message), Judgement::Refuse(_)), "an answer passes once");
            arrives(gate, &arrival, value);
        }
        Body::Request(id, invocation) => {
            assert!(!modern, "a modern server asks nothing");
            asks(&value["method"], value.get("params").unwrap_or(&Value::Null));
            if gate.asks(permit, id, invocation, Instant::now()).is_some() {
                assert!(gate.is_asked(id.key()));
                assert!(matches!(gate.judge_server(message), Judgement::Refuse(_)), "its id is in flight");
            }
        }
        Body::Notification(invocation) => {
            let is_task = matches!(&*invocation.method, "notifications/tasks" | "notifications/tasks/status");
            if gate.hear(invocation, message.raw.len()).is_ok() && is_task {
                inputs(&value["params"]);
            }
        }
    }
    // Whatever was said, the log is told in words that were looked at.
    drop(gate.watching().map(Watch::take_notes));
    true
}

/// What passes is asked for by a method that the profile allows, and says nothing under our name.
fn asks(method: &Value, params: &Value) {
    let method = method.as_str().expect("a method");
    assert!(
        matches!(
            method,
            "roots/list"
                | "elicitation/create"
                | "ping"
                | "tasks/get"
                | "tasks/result"
                | "tasks/list"
                | "tasks/cancel"
        ),
        "{method} was not allowed"
    );
    if method == "elicitation/create" {
        assert!(!params.to_string().to_lowercase().contains("caponier"), "{params}");
        if params["mode"] == "url" {
            let url = params["url"].as_str().unwrap_or_default().to_ascii_lowercase();
            assert!(url.starts_with("https://") || url.starts_with("http://"), "{url}");
        }
    }
}

fn inputs(of: &Value) {
    for request in of["inputRequests"].as_object().into_iter().flat_map(|requests| requests.values()) {
        asks(&request["method"], request.get("params").unwrap_or(&Value::Null));
        assert!(request["method"] == "roots/list" || request["method"] == "elicitation/create", "{request}");
    }
}

fn arrives(gate: &Gate, arrival: &Arrival, value: &Value) {
    let Arrival { request, listing: Ok(listing), .. } = arrival else { return };
    let Some(result) = value.get("result") else { return };
    inputs(result);
    let shown: Value = match &listing.result {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        None => result.clone(),
    };
    match &request.asked {
        Asked::Initialize => {
            let instructions = shown.get("instructions");
            assert!(instructions.is_none_or(|it| it == "Do well."), "{instructions:?} were never approved");
        }
        Asked::Tools(_) => lists(Kind::Tool, result, &shown),
        Asked::Listed(kind, _) => lists(*kind, result, &shown),
        _ => {}
    }
    assert!(gate.unanswered() <= 9);
}

/// Every entry that is shown is one of the server's, in its order, and is as it was pinned in all that matters.
fn lists(kind: Kind, result: &Value, shown: &Value) {
    let member = kind.list().expect("a list").1;
    let (all, shown) =
        (result[member].as_array().expect("an array"), shown[member].as_array().expect("an array"));
    let mut all = all.iter();
    for entry in shown {
        assert!(all.any(|it| it == entry), "{entry} is none of the server's, or out of order");
        let name = entry[kind.key()].as_str().unwrap_or_else(|| panic!("{entry} has no name"));
        assert!(kind != Kind::Tool || !name.starts_with("write_"), "{name} is denied");
        let known = known();
        let change = match known.pinned.get(kind, name) {
            Some(pinned) => compare_one(kind, name, Some(pinned), Some(&definition(entry))),
            None => {
                assert_eq!(kind, Kind::Resource, "{name} is new");
                None
            }
        };
        assert!(change.is_none_or(|change| !change.class.needs_approval()), "{entry} is held back");
    }
}

/// What a client says of its folders: the server is told of none outside.
pub(crate) fn roots(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let line = format!(r#"{{"jsonrpc":"2.0","id":"r","result":{text}}}"#);
    let Ok(Payload::Single(answer)) = scan(line.as_bytes(), LIMITS) else { return false };
    let Body::Response(response) = &answer.body else { return false };
    if response.id.as_ref().is_none_or(|id| id.raw() != "\"r\"")
        || serde_json::from_str::<Value>(&line).is_err()
    {
        return false;
    }
    let mut gate = talk(false);
    let question = message(r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
    match (gate.judge_server(&question), &question.body) {
        (Judgement::Pass(permit), Body::Request(id, invocation)) => {
            assert!(gate.asks(permit, id, invocation, Instant::now()).is_some());
        }
        other => panic!("{other:?}"),
    }
    if let Judgement::Refuse(_) = gate.judge_client(&answer, Instant::now()) {
        return true;
    }
    let rewritten = gate.rewrite(&answer).expect("what was judged").text.unwrap_or_else(|| line.clone());
    let told: Value = serde_json::from_str(&rewritten).unwrap_or_else(|error| panic!("{error}: {rewritten}"));
    for root in told["result"]["roots"].as_array().into_iter().flatten() {
        let uri = root["uri"].as_str().unwrap_or_else(|| panic!("{root} has no URI"));
        let path = uri.strip_prefix("file://").unwrap_or_else(|| panic!("{uri} is no file"));
        // However often the server decodes it; to Linux, several slashes are one.
        let mut path = path.to_owned();
        for _ in 0..2 {
            path = decoded(&path);
            while path.contains("//") {
                path = path.replace("//", "/");
            }
            assert!(path == "/work" || path.starts_with("/work/"), "{uri} is outside");
            assert!(path.split(['/', '\\']).all(|part| part != ".."), "{uri} leads up");
        }
    }
    true
}

/// Percent signs and two digits as what they stand for.
fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let value = digits.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        out.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
