//! Calls that become tasks, in both eras: what holds for the call holds for its task, and for what is told of it by the way.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::session::{Session, Stage, reason};

/// Its tools become tasks; what it was asked besides is what its tool `heard` tells.
const SERVER: &str = r#"
import json, sys

def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()

def answer(id, result):
    say({"jsonrpc": "2.0", "id": id, "result": result})

def notify(method, params):
    say({"jsonrpc": "2.0", "method": method, "params": params})

ERA = "io.modelcontextprotocol/protocolVersion"
heard, asks, tasks = [], {}, 0
for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    modern = ERA in params.get("_meta", {})
    kind = {"resultType": "complete"} if modern else {}
    if method == "initialize":
        answer(id, {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}, "tasks": {}},
            "serverInfo": {"name": "tasks", "version": "1"}})
    elif method == "tools/call" and params["name"] == "heard":
        answer(id, {**kind, "content": [{"type": "text", "text": json.dumps(heard)}]})
    elif method == "tools/call" and params["name"] == "tell":
        # Something about a task, by the way.
        notify(params["arguments"]["method"], params["arguments"]["params"])
        answer(id, {**kind, "content": []})
    elif method == "tools/call":
        tasks += 1
        task = {"taskId": "t%d" % tasks, "status": "working", "ttl": 60000,
            "createdAt": "2026-11-27T20:00:00Z", "lastUpdatedAt": "2026-11-27T20:00:00Z"}
        asks[task["taskId"]] = params.get("arguments", {}).get("inputs")
        answer(id, {"resultType": "task", **task} if modern else {"task": task})
    elif method == "tasks/get":
        inputs = asks.get(params["taskId"])
        state = {"status": "input_required", "inputRequests": inputs} if inputs else {"status": "working"}
        answer(id, {**kind, "taskId": params["taskId"], **state})
    elif method == "tasks/result":
        heard.append({"method": method})
    elif id is not None:
        heard.append({"method": method, "params": params})
        answer(id, kind)
    elif method is not None:
        heard.append({"method": method, "params": params})
"#;

const ALL: &str = r#"{"roots":{},"sampling":{},"elicitation":{"form":{}}}"#;

fn meta() -> Value {
    let all: Value = serde_json::from_str(ALL).unwrap();
    json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": all})
}

fn greeted(stage: &Stage, toml: &str) -> Session {
    let mut session = stage.scripted(SERVER, toml);
    let capabilities: Value = serde_json::from_str(ALL).unwrap();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
        "clientInfo": {"name": "test", "version": "1"}});
    assert!(session.ask("initialize", &hello)["result"].is_object());
    session
}

/// Everything else that the server was asked, once `enough` of it is there.
fn heard(session: &mut Session, modern: bool, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let mut params = json!({"name": "heard", "arguments": {}});
        if modern {
            params["_meta"] = meta();
        }
        let answer = session.ask("tools/call", &params);
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let heard: Vec<Value> = serde_json::from_str(text).unwrap();
        if enough(&heard) {
            return heard;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{heard:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn denied(stage: &Stage) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    stage.events("message.denied").iter().map(|it| (word(&it["method"]), word(&it["reason"]))).collect()
}

fn method(message: &Value) -> &str {
    message["method"].as_str().unwrap()
}

#[test]
fn a_time_out_takes_the_task_back_that_a_call_became() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "[tools.rule.slow]\ntimeout = \"5s\"");
    let call = json!({"name": "slow", "arguments": {}, "task": {"ttl": 60000}});
    let answer = session.ask("tools/call", &call);
    assert_eq!(answer["result"]["task"]["taskId"], "t1", "{answer}");
    let late = session.ask("tasks/result", &json!({"taskId": "t1"}));
    assert_eq!((reason(&late), &late["result"]["isError"]), (Some("call.timeout"), &json!(true)), "{late}");
    let heard = heard(&mut session, false, |heard| heard.iter().any(|it| method(it) == "tasks/cancel"));
    let methods: Vec<&str> = heard.iter().map(method).collect();
    assert_eq!(methods, ["tasks/result", "notifications/cancelled", "tasks/cancel"]);
    assert_eq!(heard[2]["params"], json!({"taskId": "t1"}));
    // Nothing is asked about it any more, and what the server says to our request is nobody else's.
    assert_eq!(reason(&session.ask("tasks/get", &json!({"taskId": "t1"}))), Some("call.timeout"));
    session.end();
    let timeout = |method: &str| (method.to_owned(), "call.timeout".to_owned());
    assert_eq!(denied(&stage), [timeout("tasks/result"), timeout("tasks/get")]);
}

#[test]
fn a_task_of_the_modern_era_is_taken_back_without_anybody_waiting() {
    let stage = Stage::set();
    let mut session = stage.scripted(SERVER, "[tools.rule.slow]\ntimeout = \"5s\"");
    let answer = session.ask("tools/call", &json!({"name": "slow", "arguments": {}, "_meta": meta()}));
    assert_eq!(
        (&answer["result"]["resultType"], &answer["result"]["taskId"]),
        (&json!("task"), &json!("t1")),
        "{answer}"
    );
    let heard = heard(&mut session, true, |heard| !heard.is_empty());
    assert_eq!((heard.len(), method(&heard[0])), (1, "tasks/cancel"), "{heard:?}");
    assert_eq!(heard[0]["params"]["taskId"], "t1");
    assert_eq!(heard[0]["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    session.end();
    assert_eq!(denied(&stage), [("tasks/result".to_owned(), "call.timeout".to_owned())]);
}

#[test]
fn what_a_task_asks_for_is_judged_and_answered_within_the_grants() {
    let stage = Stage::set();
    let work = stage.at("work").display().to_string();
    let mut session = stage.scripted(SERVER, &format!("[filesystem]\nread = [\"{work}\"]"));
    let begin = |session: &mut Session, inputs: Value| {
        let params = json!({"name": "long", "arguments": {"inputs": inputs}, "_meta": meta()});
        session.ask("tools/call", &params)["result"]["taskId"].as_str().unwrap().to_owned()
    };
    let get =
        |session: &mut Session, id: &str| session.ask("tasks/get", &json!({"taskId": id, "_meta": meta()}));
    // Allowed: it passes, is on the record, and the server is told of no folder outside.
    let id = begin(&mut session, json!({"r": {"method": "roots/list"}}));
    let state = get(&mut session, &id);
    assert_eq!(state["result"]["inputRequests"]["r"]["method"], "roots/list", "{state}");
    let roots = json!([{"uri": "file:///etc"}, {"uri": format!("file://{work}")}]);
    let update = json!({"taskId": id, "inputResponses": {"r": {"roots": roots}}, "_meta": meta()});
    assert_eq!(session.ask("tasks/update", &update)["result"], json!({"resultType": "complete"}));
    let told = heard(&mut session, true, |heard| !heard.is_empty());
    assert_eq!(
        told[0]["params"]["inputResponses"]["r"],
        json!({"roots": [{"uri": format!("file://{work}")}]}),
        "{told:?}"
    );
    // Denied, and under our name: the client is told why, and asked nothing.
    for (inputs, expected) in [
        (json!({"s": {"method": "sampling/createMessage", "params": {"messages": []}}}), "request.denied"),
        (
            json!({"e": {"method": "elicitation/create", "params": {"message": "caponier asks", "requestedSchema": {}}}}),
            "request.impersonates",
        ),
    ] {
        let id = begin(&mut session, inputs);
        let state = get(&mut session, &id);
        assert_eq!((reason(&state), state.get("result")), (Some(expected), None), "{state}");
    }
    session.end();
    assert_eq!(stage.events("request.start").len(), 1);
    let get = |reason: &str| reason.to_owned();
    let reasons: Vec<String> = denied(&stage).into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, [get("request.denied"), get("request.impersonates")]);
}

#[test]
fn what_is_told_of_a_task_by_the_way_is_held_to_the_same() {
    let stage = Stage::set();
    let mut session = stage.scripted(SERVER, "[tools]\nresult_size = \"20KiB\"");
    let mut tell = |method: &str, params: Value| -> Option<Value> {
        let call = json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {
            "name": "tell", "arguments": {"method": method, "params": params}, "_meta": meta()}});
        session.tell_raw(&call.to_string());
        let first = session.hears_json();
        if first["id"] == "c" {
            return None;
        }
        assert_eq!(session.hears_json()["id"], "c");
        Some(first)
    };
    for method in ["notifications/tasks", "notifications/tasks/status"] {
        let state = json!({"taskId": "t9", "status": "working"});
        assert_eq!(tell(method, state.clone()).unwrap()["params"], state);
        let with = |name: &str, value: Value| {
            let mut state = state.clone();
            state[name] = value;
            state
        };
        let sampling = json!({"s": {"method": "sampling/createMessage", "params": {}}});
        assert_eq!(tell(method, with("inputRequests", sampling)), None);
        let disguised =
            json!({"e": {"method": "elicitation/create", "params": {"message": "c a p o n i e r"}}});
        assert_eq!(tell(method, with("inputRequests", disguised)), None);
        // A result may stand in it, and is no longer than one.
        let result = |length: usize| json!({"content": [{"type": "text", "text": "x".repeat(length)}]});
        assert!(tell(method, with("result", result(10_000))).is_some());
        assert_eq!(tell(method, with("result", result(30_000))), None);
    }
    session.end();
    let reasons: Vec<(String, String)> = denied(&stage);
    let expected = ["request.denied", "request.impersonates", "result.over-limit"];
    let expected: Vec<(String, String)> = ["notifications/tasks", "notifications/tasks/status"]
        .iter()
        .flat_map(|method| expected.map(|reason| ((*method).to_owned(), reason.to_owned())))
        .collect();
    assert_eq!(reasons, expected);
}
