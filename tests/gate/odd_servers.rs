//! Servers that break the protocol: answers to nothing, questions where there are none, floods, answers too long, too deep
//! or in a batch. Each does what its tool is called, and answers the call in the end.

use serde_json::{Value, json};

use crate::session::{Session, Stage, reason};

const SERVER: &str = r#"
import json, sys

def say(message):
    sys.stdout.write(json.dumps(message) + "\n")

def answer(id, text="done"):
    say({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}})

def messages():
    for line in sys.stdin:
        message = json.loads(line)
        yield from message if isinstance(message, list) else [message]

for message in messages():
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if method == "initialize":
        say({"jsonrpc": "2.0", "id": id, "result": {"protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}}, "serverInfo": {"name": "odd", "version": "1"}}})
    elif method == "tools/call":
        tool, arguments = params["name"], params.get("arguments", {})
        if tool == "unasked":
            answer(4711, "never asked"), answer(str(id), "another id"), answer(id)
        elif tool == "twice":
            answer(id), answer(id, "again")
        elif tool == "asks":
            say({"jsonrpc": "2.0", "id": "s1", "method": "roots/list", "params": {}}), answer(id)
        elif tool == "flood":
            for n in range(arguments["count"]):
                say({"jsonrpc": "2.0", "method": "notifications/progress",
                    "params": {"progressToken": "t", "progress": n}})
            answer(id)
        elif tool == "long":
            empty = len(json.dumps({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": ""}]}}))
            answer(id, "x" * (arguments["bytes"] - empty))
        elif tool == "deep":
            sys.stdout.write('{"jsonrpc":"2.0","id":%d,"result":%s1%s}\n' % (id, '{"a":' * 100000, "}" * 100000))
        elif tool == "batch":
            say([{"jsonrpc": "2.0", "id": id, "result": {"content": []}}])
        elif tool == "double":
            sys.stdout.write('{"jsonrpc":"2.0","id":%d,"result":{},"result":{"content":[]}}\n' % id)
        elif tool != "silent":
            answer(id)
    elif method == "notifications/cancelled":
        answer(params["requestId"], "late")
    sys.stdout.flush()
"#;

fn greeted(stage: &Stage, toml: &str, version: &str) -> Session {
    let mut session = stage.scripted(SERVER, toml);
    let hello = json!({"protocolVersion": version, "capabilities": {"roots": {}}, "clientInfo": {"name": "test", "version": "1"}});
    assert_eq!(session.ask("initialize", &hello)["result"]["protocolVersion"], version);
    session
}

fn denied(stage: &Stage) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let events = stage.events("message.denied");
    events.iter().map(|event| (word(&event["direction"]), word(&event["reason"]))).collect()
}

fn from_server(reasons: &[&str]) -> Vec<(String, String)> {
    reasons.iter().map(|reason| ("server_to_client".to_owned(), (*reason).to_owned())).collect()
}

#[test]
fn an_answer_to_nothing_is_dropped_and_the_right_one_passes() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "", "2025-06-18");
    for tool in ["unasked", "twice", "plain"] {
        session.tell_raw(&format!(
            r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"{tool}"}}}}"#
        ));
        let answer = session.hears_json();
        assert_eq!(
            (&answer["id"], &answer["result"]["content"][0]["text"]),
            (&json!(5), &json!("done")),
            "{tool}"
        );
    }
    session.end();
    assert_eq!(denied(&stage), from_server(&["message.unasked"; 3]));
}

#[test]
fn a_late_answer_is_dropped() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "[tools.rule.silent]\ntimeout = \"20ms\"", "2025-06-18");
    let answer = session.call("silent", &json!({}));
    assert_eq!(reason(&answer), Some("call.timeout"), "{answer}");
    // The server hears of it, and answers all the same.
    assert_eq!(session.call("plain", &json!({}))["result"]["content"][0]["text"], "done");
    session.end();
    assert_eq!(denied(&stage), from_server(&["call.timeout", "message.late"]));
    let ends = stage.events("call.end");
    assert_eq!(ends[0]["outcome"], "timeout", "{}", ends[0]);
}

#[test]
fn a_server_asks_in_the_legacy_era_only() {
    let stage = Stage::set();
    let mut legacy = greeted(&stage, "", "2025-11-25");
    legacy.tell_raw(r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"asks"}}"#);
    assert_eq!(legacy.hears_json()["method"], "roots/list");
    assert_eq!(legacy.hears_json()["id"], 5);
    legacy.end();
    assert_eq!(denied(&stage), []);

    let stage = Stage::set();
    let mut modern = stage.scripted(SERVER, "");
    let call = json!({"name": "asks", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}});
    assert_eq!(modern.ask("tools/call", &call)["result"]["content"][0]["text"], "done");
    modern.tell_raw(r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#);
    assert_eq!(modern.ask("tools/call", &call)["result"]["content"][0]["text"], "done");
    modern.end();
    let mut expected = from_server(&["message.direction"; 2]);
    expected.insert(1, ("client_to_server".to_owned(), "message.direction".to_owned()));
    assert_eq!(denied(&stage), expected);
}

#[test]
fn a_refusal_is_complete_in_the_modern_era() {
    let stage = Stage::set();
    let mut session = stage.scripted(SERVER, "[tools]\ndeny = [\"plain\"]");
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    let modern = session.ask("tools/call", &json!({"name": "plain", "_meta": meta}));
    assert_eq!(modern["result"]["resultType"], "complete", "{modern}");
    let legacy = session.ask("tools/call", &json!({"name": "plain"}));
    assert!(legacy["result"].get("resultType").is_none(), "{legacy}");
    assert_eq!((reason(&modern), reason(&legacy)), (Some("tool.denied"), Some("tool.denied")));
    session.end();
}

#[test]
fn a_flood_of_progress_passes_in_order_and_is_not_recorded() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "", "2025-06-18");
    session.tell_raw(
        r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"flood","arguments":{"count":50000}}}"#,
    );
    for n in 0..50_000 {
        assert_eq!(session.hears_json()["params"]["progress"], n);
    }
    assert_eq!(session.hears_json()["id"], 5);
    session.end();
    assert_eq!(denied(&stage), []);
}

#[test]
fn an_answer_at_the_limit_passes_and_one_byte_more_does_not() {
    const LIMIT: u64 = 10 * 1024 * 1024 - 1024;
    let stage = Stage::set();
    let mut session = greeted(&stage, "", "2025-06-18");
    for (bytes, expected) in
        [(LIMIT - 1, None), (LIMIT, None), (LIMIT + 1, Some("result.too-long")), (64, None)]
    {
        let answer = session.call("long", &json!({ "bytes": bytes.max(100) }));
        assert_eq!(reason(&answer), expected, "{bytes}");
    }
    session.end();
    assert_eq!(denied(&stage), from_server(&["result.too-long"]));
}

#[test]
fn an_answer_that_cannot_be_read_leaves_nobody_waiting() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "", "2025-06-18");
    for (tool, expected) in [("deep", "message.too-deep"), ("double", "message.ambiguous"), ("plain", "")] {
        let answer = session.call(tool, &json!({}));
        assert_eq!(reason(&answer).unwrap_or_default(), expected, "{tool}: {answer}");
    }
    session.end();
    assert_eq!(denied(&stage), from_server(&["message.too-deep", "message.ambiguous"]));
}

#[test]
fn batches_pass_in_their_one_version_only() {
    for (version, passes) in
        [("2025-03-26", true), ("2024-11-05", false), ("2025-06-18", false), ("2025-11-25", false)]
    {
        let stage = Stage::set();
        let mut session = greeted(&stage, "", version);
        session.tell_raw(r#"[{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"plain"}}]"#);
        if !passes {
            assert_eq!(reason(&session.hears_json()), Some("message.batch"), "{version}");
            session.end();
            assert_eq!(denied(&stage).len(), 1, "{version}");
            continue;
        }
        assert_eq!(session.hears_json()["id"], 6);
        session.tell_raw(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"batch"}}"#);
        assert_eq!(session.hears_json()[0]["id"], 7);
        session.end();
        assert_eq!(denied(&stage), [], "{version}");
    }
}
