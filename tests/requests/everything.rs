//! server-everything's tools that work as tasks, on either side: of a call, and of what the server asks the client.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::session::{Server, Session, Stage, reason};

fn greeted(stage: &Stage, toml: &str) -> Session {
    let mut session = stage.penned_silent(Server::Everything, toml);
    let tasks = json!({"requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}}});
    let hello = json!({"protocolVersion": "2025-11-25", "clientInfo": {"name": "test", "version": "1"},
        "capabilities": {"sampling": {}, "elicitation": {"form": {}}, "tasks": tasks}});
    assert!(session.ask("initialize", &hello)["result"]["serverInfo"].is_object());
    session.tell_raw(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let tools = session.tools();
    assert!(tools.iter().any(|tool| tool["name"] == "trigger-sampling-request-async"), "{tools:?}");
    session
}

/// Answers what the server asks with what `reply` has for it, until the request `id` is answered; that answer.
fn until(session: &mut Session, id: &str, mut reply: impl FnMut(&Value) -> Value) -> Value {
    loop {
        let message = session.hears_json();
        match (message.get("method"), message.get("id")) {
            (None, Some(of)) if of == id => return message,
            (Some(_), Some(of)) => {
                let answer = json!({"jsonrpc": "2.0", "id": of, "result": reply(&message)});
                session.tell_raw(&answer.to_string());
            }
            _ => {}
        }
    }
}

/// A research that needs to know more, and has come to the point where it asks; the id of its task.
fn research(session: &mut Session) -> String {
    let call = json!({"name": "simulate-research-query", "task": {"ttl": 60_000},
        "arguments": {"topic": "python", "ambiguous": true}});
    let answer = session.ask("tools/call", &call);
    answer["result"]["task"]["taskId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn wait_for(session: &mut Session, task: &str, status: &[&str]) -> Value {
    let begun = Instant::now();
    loop {
        let state = session.ask("tasks/get", &json!({"taskId": task}));
        if status.iter().any(|status| state["result"]["status"] == *status) {
            return state;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{state}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn result_of(session: &mut Session, task: &str) -> Value {
    let ask = json!({"jsonrpc": "2.0", "id": "result", "method": "tasks/result", "params": {"taskId": task}});
    session.tell_raw(&ask.to_string());
    until(session, "result", |message| {
        assert_eq!(message["method"], "elicitation/create", "{message}");
        json!({"action": "accept", "content": {"interpretation": "snake"}})
    })
}

#[test]
fn a_task_that_asks_its_user_finishes_with_the_answer() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "");
    let task = research(&mut session);
    wait_for(&mut session, &task, &["input_required"]);
    let result = result_of(&mut session, &task);
    assert!(result["result"]["content"][0]["text"].as_str().unwrap().contains("snake"), "{result}");
    session.end();
    let starts = stage.events("request.start");
    assert_eq!((starts.len(), &starts[0]["method"]), (1, &json!("elicitation/create")));
    assert_eq!(stage.events("request.end")[0]["outcome"], "ok");
    assert!(stage.events("message.denied").is_empty());
}

#[test]
fn a_task_that_may_not_ask_goes_on_without() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "protocol.server_requests.elicitation = \"deny\"");
    let task = research(&mut session);
    wait_for(&mut session, &task, &["input_required", "completed"]);
    let result = result_of(&mut session, &task);
    let text = result["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}"));
    assert!(text.contains("elicitation unavailable"), "{text}");
    session.end();
    assert!(stage.events("request.start").is_empty());
    let denied = stage.events("message.denied");
    assert_eq!((denied.len(), &denied[0]["reason"]), (1, &json!("request.denied")), "{denied:?}");
}

/// The client makes a task of what it is asked, and the server asks how far it is.
#[test]
fn a_client_answers_by_a_task_of_its_own() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "protocol.server_requests.sampling = \"allow\"");
    let call = json!({"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params":
        {"name": "trigger-sampling-request-async", "arguments": {"prompt": "What is a ditch?", "maxTokens": 20}}});
    session.tell_raw(&call.to_string());
    let task = json!({"taskId": "mine", "status": "working", "ttl": 60_000, "pollInterval": 100,
        "createdAt": "2026-11-27T20:00:00Z", "lastUpdatedAt": "2026-11-27T20:00:00Z"});
    let mut asked = Vec::new();
    let answer = until(&mut session, "c", |message| {
        asked.push(message["method"].as_str().unwrap().to_owned());
        match message["method"].as_str().unwrap() {
            "sampling/createMessage" => json!({"task": task}),
            "tasks/get" => {
                let mut task = task.clone();
                task["status"] = json!("completed");
                task
            }
            "tasks/result" => {
                json!({"role": "assistant", "model": "none", "content": {"type": "text", "text": "a dry one"}})
            }
            other => panic!("{other}"),
        }
    });
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    assert!(text.contains("[COMPLETED]") && text.contains("a dry one"), "{text}");
    assert_eq!(asked, ["sampling/createMessage", "tasks/get", "tasks/result"]);
    session.end();
    assert_eq!(stage.events("request.start").len(), 1);
}

#[test]
fn a_client_that_may_not_be_asked_is_asked_for_no_task_either() {
    let stage = Stage::set();
    let mut session = greeted(&stage, "protocol.server_requests.elicitation = \"deny\"");
    for (tool, arguments) in [
        ("trigger-sampling-request-async", json!({"prompt": "What is a ditch?", "maxTokens": 20})),
        ("trigger-elicitation-request-async", json!({})),
    ] {
        let answer = session.call(tool, &arguments);
        assert!(reason(&answer).is_none(), "{answer}");
        assert!(answer.to_string().contains("request.denied"), "{answer}");
    }
    session.end();
    let denied = stage.events("message.denied");
    let methods: Vec<&Value> = denied.iter().map(|it| &it["method"]).collect();
    assert_eq!(methods, ["sampling/createMessage", "elicitation/create"], "{denied:?}");
}
