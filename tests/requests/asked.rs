//! A server that asks for whatever its tool is called, in both eras, and tells what it got.

use serde_json::{Value, json};

use crate::session::{Session, Stage, reason};

const SERVER: &str = r#"
import json, sys

def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()

def answer(id, result):
    say({"jsonrpc": "2.0", "id": id, "result": result})

def told(id, value):
    answer(id, {"content": [{"type": "text", "text": json.dumps(value)}]})

lines = iter(sys.stdin)

def until(id):
    for line in lines:
        message = json.loads(line)
        if message.get("id") == id and "method" not in message:
            return message

ERA = "io.modelcontextprotocol/protocolVersion"
early = sys.argv[1:] == ["early"]
if True:
    for line in lines:
        message = json.loads(line)
        id, method, params = message.get("id"), message.get("method"), message.get("params", {})
        if method == "initialize":
            say({"jsonrpc": "2.0", "id": "early", "method": "roots/list"})
            answer(id, {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "asking", "version": "1"}})
        elif method == "tools/call":
            tool, arguments = params["name"], params.get("arguments", {})
            if tool == "ask" and ERA in params.get("_meta", {}):
                if "inputResponses" in params:
                    told(id, params["inputResponses"])
                else:
                    answer(id, {"resultType": "input_required", "inputRequests": arguments["inputs"],
                        "requestState": "s"})
            elif tool == "ask":
                say({"jsonrpc": "2.0", "id": "q", "method": arguments["method"],
                    "params": arguments.get("params", {})})
                told(id, until("q"))
            elif tool == "withdraw":
                say({"jsonrpc": "2.0", "id": "w", "method": "elicitation/create", "params": {"message": "m"}})
                say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "w", "reason": "never mind"}})
                told(id, "withdrawn")
            elif tool == "batch":
                sys.stdout.write(json.dumps([
                    {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "beside"}},
                    {"jsonrpc": "2.0", "id": "r", "method": "roots/list"},
                    {"jsonrpc": "2.0", "id": "p", "method": "ping"}]) + "\n")
                sys.stdout.flush()
                got = {}
                while not {"r", "p"} <= got.keys():
                    answers = json.loads(next(lines))
                    got.update((it["id"], it) for it in (answers if isinstance(answers, list) else [answers]))
                told(id, got)
            elif tool == "links":
                say({"jsonrpc": "2.0", "id": id, "error": {"code": -32042, "message": "m", "data":
                    {"elicitations": [{"mode": "url", "url": arguments["url"], "message": "m", "elicitationId": "1"}]}}})
            elif tool == "flood":
                for n in range(arguments["count"]):
                    say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": n}})
                told(id, "done")
            elif tool == "long":
                say({"jsonrpc": "2.0", "method": "notifications/message",
                    "params": {"level": "info", "data": "x" * 300000}})
                told(id, "done")
            elif tool == "crowd":
                for n in range(arguments["count"]):
                    say({"jsonrpc": "2.0", "id": n, "method": "sampling/createMessage", "params": {}})
                got = [until(n)["error"]["code"] for n in range(arguments["count"])]
                told(id, len(got))
            else:
                told(id, "plain")
"#;

const ALL: &str = r#"{"roots":{},"sampling":{},"elicitation":{"form":{},"url":{}}}"#;

fn greeted(stage: &Stage, toml: &str, capabilities: &str) -> Session {
    let mut session = stage.scripted(SERVER, toml);
    let capabilities: Value = serde_json::from_str(capabilities).unwrap();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
        "clientInfo": {"name": "test", "version": "1"}});
    assert_eq!(session.ask("initialize", &hello)["result"]["protocolVersion"], "2025-11-25");
    session.tell_raw(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    session
}

/// What the server says it got.
fn got(answer: &Value) -> Value {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{answer}"))
}

fn asks(session: &mut Session, method: &str, params: &Value) -> Value {
    got(&session.call("ask", &json!({"method": method, "params": params})))
}

fn denied(stage: &Stage) -> Vec<String> {
    let events = stage.events("message.denied");
    events.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
}

/// The client's part of one question: the call, the question that must arrive, its answer, the result of the call.
fn answers(session: &mut Session, method: &str, params: &Value, result: &Value) -> Value {
    let call = json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call",
        "params": {"name": "ask", "arguments": {"method": method, "params": params}}});
    session.tell_raw(&call.to_string());
    let question = session.hears_json();
    assert_eq!((&question["id"], &question["method"]), (&json!("q"), &json!(method)));
    session.tell_raw(&json!({"jsonrpc": "2.0", "id": "q", "result": result}).to_string());
    got(&session.hears_json())
}

#[test]
fn what_the_profile_denies_never_reaches_the_client() {
    let stage = Stage::set();
    let toml = r#"protocol.server_requests = { roots = "deny", elicitation = "deny" }"#;
    let mut session = greeted(&stage, toml, ALL);
    for method in ["roots/list", "elicitation/create", "sampling/createMessage"] {
        let answer = asks(&mut session, method, &json!({}));
        assert_eq!(answer["error"]["code"], -31_000, "{answer}");
        assert_eq!(answer["error"]["data"]["io.github.caponier/decision"]["reason"], "request.denied");
        assert!(!answer.to_string().contains("toml"), "{answer}");
    }
    assert_eq!(asks(&mut session, "other/thing", &json!({}))["error"]["code"], -32_601);
    assert_eq!(session.call("plain", &json!({}))["result"]["content"][0]["text"], "\"plain\"");
    session.end();
    let expected =
        ["request.too-early", "request.denied", "request.denied", "request.denied", "request.unknown"];
    assert_eq!(denied(&stage), expected);
    let events = stage.events("message.denied");
    assert_eq!(events[1]["remedy"], "protocol.server_requests.roots = \"allow\"");
    assert!(events[1]["detail"].as_str().unwrap().contains("profile.toml:3:"), "{}", events[1]);
    assert_eq!(events[3]["detail"], "protocol.server_requests.sampling = \"deny\" (by default)");
    assert!(stage.events("request.start").is_empty());
}

#[test]
fn what_it_allows_passes_on_the_record() {
    let stage = Stage::set();
    let mut session = greeted(&stage, r#"protocol.server_requests.sampling = "allow""#, ALL);
    let message = json!({"message": "Which colour? password=hunter2hunter2", "requestedSchema": {"type": "object", "properties": {}}});
    let answer = answers(&mut session, "elicitation/create", &message, &json!({"action": "decline"}));
    assert_eq!(answer["result"]["action"], "decline");
    let answer = answers(
        &mut session,
        "sampling/createMessage",
        &json!({"messages": [], "maxTokens": 1}),
        &json!({"role": "assistant"}),
    );
    assert_eq!(answer["result"]["role"], "assistant");
    session.end();
    let starts = stage.events("request.start");
    let methods: Vec<&Value> = starts.iter().map(|event| &event["method"]).collect();
    assert_eq!(methods, ["elicitation/create", "sampling/createMessage"]);
    assert!(starts[0]["params"]["message"].as_str().unwrap().starts_with("Which colour?"), "{}", starts[0]);
    let ends = stage.events("request.end");
    assert_eq!(ends.iter().map(|event| &event["outcome"]).collect::<Vec<_>>(), ["ok", "ok"]);
    assert_eq!(denied(&stage), ["request.too-early"]);
}

#[test]
fn a_client_is_not_asked_for_what_it_did_not_announce() {
    let stage = Stage::set();
    let mut session =
        greeted(&stage, r#"protocol.server_requests.sampling = "allow""#, r#"{"elicitation":{}}"#);
    let link = json!({"mode": "url", "url": "https://example.com/", "message": "m", "elicitationId": "1"});
    for (method, params) in
        [("roots/list", json!({})), ("sampling/createMessage", json!({})), ("elicitation/create", link)]
    {
        assert_eq!(asks(&mut session, method, &params)["error"]["code"], -32_601, "{method}");
    }
    session.end();
    assert_eq!(
        denied(&stage),
        ["request.too-early", "request.not-announced", "request.not-announced", "request.not-announced"]
    );
}

#[test]
fn only_roots_under_grants_are_shown() {
    let stage = Stage::set();
    let work = stage.at("work").display().to_string();
    let toml = format!("[filesystem]\nread = [\"{work}\"]");
    let mut session = greeted(&stage, &toml, ALL);
    std::os::unix::fs::symlink("/etc", stage.at("work").join("link")).unwrap();
    let uris = [
        format!("file://{work}"),
        "file:///etc".into(),
        format!("file://{work}/link"),
        format!("file://{work}/../home"),
        format!("file://{work}-secret"),
    ];
    let roots: Vec<Value> = uris.iter().map(|uri| json!({"uri": uri, "name": "r"})).collect();
    let answer = answers(&mut session, "roots/list", &json!({}), &json!({"roots": roots, "x": 1}));
    assert_eq!(answer["result"], json!({"roots": [{"uri": uris[0], "name": "r"}], "x": 1}));
    session.end();
    let end = &stage.events("request.end")[0];
    assert_eq!((&end["shown"], &end["hidden"]), (&json!(1), &json!(4)), "{end}");
}

#[test]
fn a_question_that_looks_like_ours_is_refused() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "", ALL);
    for message in
        ["Caponier: allow write_file /etc/passwd?", "[с\u{430}poni\u{435}r] approve", "C A P O N I E R asks"]
    {
        let answer =
            asks(&mut session, "elicitation/create", &json!({"message": message, "requestedSchema": {}}));
        assert_eq!(
            answer["error"]["data"]["io.github.caponier/decision"]["reason"], "request.impersonates",
            "{answer}"
        );
    }
    let link =
        json!({"mode": "url", "url": "https://github.com@evil.io/", "message": "m", "elicitationId": "1"});
    assert_eq!(asks(&mut session, "elicitation/create", &link)["error"]["code"], -31_000);
    session.end();
    let expected = [
        "request.too-early",
        "request.impersonates",
        "request.impersonates",
        "request.impersonates",
        "request.url",
    ];
    assert_eq!(denied(&stage), expected);
}

#[test]
fn links_in_an_error_are_judged_too() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "", ALL);
    let passed = session.call("links", &json!({"url": "https://example.com/"}));
    assert_eq!(passed["error"]["code"], -32_042, "{passed}");
    let refused = session.call("links", &json!({"url": "javascript:alert(1)"}));
    assert_eq!(reason(&refused), Some("request.url"), "{refused}");
    session.end();
}

fn modern(session: &mut Session, capabilities: &str, extra: &Value) -> Value {
    let capabilities: Value = serde_json::from_str(capabilities).unwrap();
    let mut params = json!({"name": "ask", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities}});
    for (name, value) in extra.as_object().unwrap() {
        params[name] = value.clone();
    }
    session.ask("tools/call", &params)
}

#[test]
fn inputs_of_the_modern_era_are_judged_by_the_same_rules() {
    let stage = Stage::set();
    let work = stage.at("work").display().to_string();
    let mut session = stage.scripted(SERVER, &format!("[filesystem]\nread = [\"{work}\"]"));
    let inputs = |inputs: Value| json!({"arguments": {"inputs": inputs}});
    let allowed = inputs(
        json!({"r": {"method": "roots/list"}, "e": {"method": "elicitation/create", "params": {"message": "m", "requestedSchema": {}}}}),
    );
    let passed = modern(&mut session, ALL, &allowed);
    assert_eq!(passed["result"]["resultType"], "input_required", "{passed}");
    let responses = json!({"r": {"roots": [{"uri": "file:///etc"}, {"uri": format!("file://{work}")}]}, "e": {"action": "cancel"}});
    let told = modern(
        &mut session,
        ALL,
        &json!({"arguments": {}, "inputResponses": responses, "requestState": "s"}),
    );
    assert_eq!(
        got(&told),
        json!({"r": {"roots": [{"uri": format!("file://{work}")}]}, "e": {"action": "cancel"}})
    );
    for (asked, capabilities, expected) in [
        (
            json!({"r": {"method": "roots/list"}, "s": {"method": "sampling/createMessage", "params": {}}}),
            ALL,
            "request.denied",
        ),
        (
            json!({"e": {"method": "elicitation/create", "params": {"message": "caponier: approve?"}}}),
            ALL,
            "request.impersonates",
        ),
        (json!({"r": {"method": "roots/list"}}), "{}", "request.not-announced"),
        (json!({"p": {"method": "ping"}}), ALL, "request.unknown"),
    ] {
        let refused = modern(&mut session, capabilities, &inputs(asked));
        assert_eq!(reason(&refused), Some(expected), "{refused}");
        assert_eq!(
            (&refused["result"]["isError"], &refused["result"]["resultType"]),
            (&json!(true), &json!("complete"))
        );
    }
    session.end();
    assert_eq!(stage.events("request.start").len(), 2);
    assert_eq!(
        denied(&stage),
        ["request.denied", "request.impersonates", "request.not-announced", "request.unknown"]
    );
}

#[test]
fn a_flood_is_told_once_and_counted() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "", ALL);
    let answer = session.call("flood", &json!({"count": 100_000}));
    assert_eq!(answer["result"]["content"][0]["text"], "\"done\"");
    assert_eq!(session.call("long", &json!({}))["result"]["content"][0]["text"], "\"done\"");
    // Requests beyond what is passed on are answered all the same.
    assert_eq!(got(&session.call("crowd", &json!({"count": 3000}))), 3000);
    session.end();
    let reasons = denied(&stage);
    assert_eq!(reasons.iter().filter(|reason| *reason == "notification.flood").count(), 1);
    let lost = stage.events("audit.lost");
    let dropped = lost.iter().filter(|event| event["reason"].as_str().unwrap().contains("in a flood"));
    assert!(dropped.map(|event| event["count"].as_u64().unwrap()).sum::<u64>() > 1000, "{lost:?}");
}

#[test]
fn what_the_server_takes_back_is_answered_by_nobody() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "", ALL);
    let call = json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {"name": "withdraw", "arguments": {}}});
    session.tell_raw(&call.to_string());
    assert_eq!(session.hears_json()["method"], "elicitation/create");
    let cancelled = session.hears_json();
    assert_eq!(
        (&cancelled["method"], &cancelled["params"]["requestId"]),
        (&json!("notifications/cancelled"), &json!("w"))
    );
    assert_eq!(got(&session.hears_json()), "withdrawn");
    // A user who answers all the same: the server has forgotten what it asked, and may have asked something else since.
    session.tell_raw(r#"{"jsonrpc":"2.0","id":"w","result":{"action":"accept","content":{}}}"#);
    // What it asks next is asked and answered.
    let answer =
        answers(&mut session, "elicitation/create", &json!({"message": "m"}), &json!({"action": "decline"}));
    assert_eq!(answer["result"]["action"], "decline", "{answer}");
    session.end();
    let outcomes: Vec<Value> =
        stage.events("request.end").into_iter().map(|it| it["outcome"].clone()).collect();
    assert_eq!(outcomes, ["cancelled", "ok"]);
    assert_eq!(denied(&stage), ["request.too-early", "message.late"]);
}

/// A session of the only version that has batches, and the server's batch as it arrives.
fn in_batches(stage: &Stage, toml: &str) -> (Session, Value) {
    let mut session = stage.scripted(SERVER, toml);
    let hello = json!({"protocolVersion": "2025-03-26", "capabilities": {"roots": {}}, "clientInfo": {"name": "test", "version": "1"}});
    assert_eq!(session.ask("initialize", &hello)["result"]["protocolVersion"], "2025-03-26");
    let call = json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {"name": "batch", "arguments": {}}});
    session.tell_raw(&call.to_string());
    let first = session.hears_json();
    (session, first)
}

#[test]
fn folders_asked_for_in_a_batch_are_cut_to_the_grants() {
    let stage = Stage::set();
    let work = stage.at("work").display().to_string();
    let (mut session, batch) = in_batches(&stage, &format!("[filesystem]\nread = [\"{work}\"]"));
    let methods: Vec<&Value> = batch.as_array().unwrap().iter().map(|it| &it["method"]).collect();
    assert_eq!(methods, ["notifications/message", "roots/list", "ping"]);
    let roots = json!([{"uri": "file:///etc"}, {"uri": format!("file://{work}")}]);
    let answers = json!([{"jsonrpc": "2.0", "id": "p", "result": {}}, {"jsonrpc": "2.0", "id": "r", "result": {"roots": roots}}]);
    session.tell_raw(&answers.to_string());
    let told = got(&session.hears_json());
    assert_eq!(told["r"]["result"], json!({"roots": [{"uri": format!("file://{work}")}]}), "{told}");
    assert_eq!(told["p"]["result"], json!({}));
    session.end();
    let end = &stage.events("request.end")[0];
    assert_eq!((&end["shown"], &end["hidden"]), (&json!(1), &json!(1)), "{end}");
}

#[test]
fn folders_that_may_not_be_asked_for_may_not_in_a_batch() {
    let stage = Stage::set();
    let (session, answer) = in_batches(&stage, "protocol.server_requests.roots = \"deny\"");
    // The batch is refused whole, and every request in it is answered.
    let told = got(&answer);
    for id in ["r", "p"] {
        assert_eq!(
            told[id]["error"]["data"]["io.github.caponier/decision"]["reason"], "request.denied",
            "{told}"
        );
    }
    session.end();
    assert_eq!(denied(&stage), ["request.too-early", "request.denied"]);
    assert!(stage.events("request.start").is_empty());
}
