//! Calls that take too long, and answers that come late or to nothing.

use std::time::Duration;

use super::*;
use crate::policy::grant::Stated;
use crate::policy::tools::Caps;

fn with_timeout(time: Duration) -> Settings {
    let origin = Origin { file: "fs.toml".into(), line: 5, column: 11 };
    let timeout = Some(Stated { value: Some(time), origin });
    let mut settings = settings();
    settings.tools.all = Caps { timeout, ..Caps::default() };
    settings
}

/// A deadline that comes by itself; nothing here measures how soon.
const SOON: Duration = Duration::from_millis(20);

#[test]
fn a_call_that_takes_too_long_is_ended_and_its_late_answer_dropped() {
    let mut between = Between::with(&with_timeout(SOON));
    between.client_sends(modern_call(7, "slow"));
    assert_eq!(between.server_gets(), modern_call(7, "slow"));
    let answer = between.client_gets_json();
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(7), &json!(true)));
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"]["_meta"]["io.github.caponier/decision"]["reason"], "call.timeout");
    assert_eq!(
        serde_json::from_str::<Value>(&between.server_gets()).unwrap(),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": 7, "reason": "no answer in time"}})
    );
    between.server_sends(r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#);
    // The id is free again, and the answer to it is an answer.
    between.client_sends(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    between.server_gets();
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
    let (_, _, events) = between.ends();
    let told: Vec<&Value> = events.iter().filter(|event| event[0] != "call.start").collect();
    assert_eq!(
        told,
        [
            &json!(["message.denied", "call.timeout"]),
            &json!(["call.end", "timeout", "call.timeout"]),
            &json!(["message.denied", "message.late"]),
        ]
    );
}

#[test]
fn a_server_that_does_not_read_hears_of_it_between_two_messages() {
    let mut between = Between::with(&with_timeout(SOON));
    between.client_sends(call(1, "slow"));
    // More than a pipe holds: the client's direction stands in the middle of it.
    let long = format!(r#"{{"jsonrpc":"2.0","method":"x","params":{{"text":"{}"}}}}"#, "y".repeat(1 << 20));
    between.client_sends(&long);
    let answer = between.client_gets_json();
    assert_eq!(answer["result"]["_meta"]["io.github.caponier/decision"]["reason"], "call.timeout");
    assert_eq!(between.server_gets(), call(1, "slow"));
    let mut rest = [between.server_gets(), between.server_gets()];
    rest.sort_by_key(String::len);
    assert!(rest[0].contains("notifications/cancelled"), "{}", rest[0]);
    assert_eq!(rest[1], long);
    between.ends();
}

#[test]
fn calls_in_time_are_left_alone_and_the_end_waits_for_no_deadline() {
    let mut between = Between::with(&with_timeout(Duration::from_secs(3600)));
    for id in 0..50 {
        between.client_sends(call(id, "quick"));
        between.server_gets();
        between.passes_to_client(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#));
    }
    between.client_sends(call(99, "open"));
    between.server_gets();
    let (_, _, events) = between.ends();
    assert_eq!(events.last().unwrap(), &json!(["call.end", "unanswered"]));
}

#[test]
fn an_answer_that_nobody_asked_for_is_dropped_in_both_directions() {
    let mut between = Between::new();
    between.passes_to_server(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":{"roots":{}}}}"#,
    );
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
    between.calls(1, "a");
    for line in [
        r#"{"jsonrpc":"2.0","id":2,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"1","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"x"}}"#,
    ] {
        between.server_sends(line);
    }
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":1.0,"result":{"content":[]}}"#);
    between.server_sends(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"again"}]}}"#);
    between.client_sends(r#"{"jsonrpc":"2.0","id":"r","result":{"roots":[]}}"#);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
    between.passes_to_server(r#"{"jsonrpc":"2.0","id":"r","result":{"roots":[]}}"#);
    between.client_sends(r#"{"jsonrpc":"2.0","id":"r","result":{"roots":[]}}"#);
    let (to_client, to_server, events) = between.ends();
    assert_eq!((to_client.as_str(), to_server.as_str()), ("", ""));
    let unasked = events.iter().filter(|event| event[1] == "message.unasked");
    assert_eq!(unasked.count(), 6);
}

#[test]
fn the_caps_of_a_tool_hold_for_the_task_that_a_call_became() {
    // Long enough for what is answered here, however busy the machine.
    let mut settings = with_timeout(Duration::from_secs(2));
    settings.tools.all.result_size =
        Some(Stated { value: Some(200), origin: Origin { file: "fs.toml".into(), line: 6, column: 15 } });
    let mut between = Between::with(&settings);
    let call =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"long","task":{"ttl":60000}}}"#;
    between.passes_to_server(call);
    between.passes_to_client(
        r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t\u0031","status":"working"}}}"#,
    );
    let about = |id: u32, method: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tasks/{method}","params":{{"taskId":"t1"}}}}"#)
    };
    let answer = |id: u32, text: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
    };
    // A short answer passes, a long one does not; for `tasks/get` it is no result of a call.
    between.passes_to_server(&about(2, "get"));
    between.passes_to_client(&answer(2, "working"));
    between.passes_to_server(&about(3, "get"));
    between.server_sends(answer(3, &"x".repeat(500)));
    assert_eq!(between.client_gets_json()["error"]["code"], -31_000);
    // The result is waited for as long as a call may take.
    between.passes_to_server(&about(4, "result"));
    let late = between.client_gets_json();
    assert_eq!(late["result"]["_meta"]["io.github.caponier/decision"]["reason"], "call.timeout");
    assert!(between.server_gets().contains("\"requestId\":4"));
    // The task is taken back as well, by a request of ours, whose answer is for nobody else.
    let cancel: Value = serde_json::from_str(&between.server_gets()).unwrap();
    assert_eq!((&cancel["method"], &cancel["params"]), (&json!("tasks/cancel"), &json!({"taskId": "t1"})));
    between.server_sends(json!({"jsonrpc": "2.0", "id": cancel["id"], "result": {}}).to_string());
    between.server_sends(answer(4, "late"));
    // The time of the call is over, and so nothing is asked about its task any more.
    between.client_sends(about(6, "get"));
    assert_eq!(between.client_gets_json()["error"]["code"], -31_000);
    // Another task is held to what holds for every tool.
    let other = about(5, "result").replace("t1", "t2");
    between.passes_to_server(&other);
    between.server_sends(answer(5, &"x".repeat(500)));
    let long = between.client_gets_json();
    assert_eq!(long["result"]["_meta"]["io.github.caponier/decision"]["reason"], "result.over-limit");
    let (to_client, _, events) = between.ends();
    assert_eq!(to_client, "");
    let denied = events.iter().filter(|event| event[0] == "message.denied");
    let mut reasons: Vec<&str> = denied.map(|event| event[1].as_str().unwrap()).collect();
    // The late answer and the question about the task go in different directions: either may be first.
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        ["call.timeout", "call.timeout", "message.late", "result.over-limit", "result.over-limit"]
    );
}

#[test]
fn a_task_that_nobody_waits_for_is_taken_back_when_its_time_is_over() {
    let mut between = Between::with(&with_timeout(Duration::from_secs(2)));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"long","task":{}}}"#;
    between.passes_to_server(call);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t\"1"}}}"#);
    let cancel: Value = serde_json::from_str(&between.server_gets()).unwrap();
    assert_eq!((&cancel["method"], &cancel["params"]), (&json!("tasks/cancel"), &json!({"taskId": "t\"1"})));
    between.server_sends(
        json!({"jsonrpc": "2.0", "id": cancel["id"], "error": {"code": -32601, "message": "m"}}).to_string(),
    );
    // In the modern era a request says which version it is of.
    let call = modern_call(2, "long");
    between.passes_to_server(&call);
    between.passes_to_client(
        r#"{"jsonrpc":"2.0","id":2,"result":{"resultType":"task","taskId":"t2","status":"working"}}"#,
    );
    let cancel: Value = serde_json::from_str(&between.server_gets()).unwrap();
    assert_eq!(cancel["params"]["taskId"], "t2");
    assert_eq!(cancel["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    between.server_sends(
        json!({"jsonrpc": "2.0", "id": cancel["id"], "result": {"resultType": "complete"}}).to_string(),
    );
    let (to_client, to_server, events) = between.ends();
    assert_eq!((to_client.as_str(), to_server.as_str()), ("", ""));
    let denied: Vec<&Value> = events.iter().filter(|event| event[0] == "message.denied").collect();
    assert_eq!(denied, [&json!(["message.denied", "call.timeout"]); 2]);
}

#[test]
fn a_task_that_comes_too_late_is_taken_back_at_once() {
    let mut between = Between::with(&with_timeout(SOON));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"long","task":{}}}"#;
    between.passes_to_server(call);
    between.client_gets_json();
    assert!(between.server_gets().contains("notifications/cancelled"));
    between
        .server_sends(r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"late","status":"working"}}}"#);
    let cancel: Value = serde_json::from_str(&between.server_gets()).unwrap();
    assert_eq!((&cancel["method"], &cancel["params"]["taskId"]), (&json!("tasks/cancel"), &json!("late")));
    let (to_client, _, events) = between.ends();
    assert_eq!(to_client, "");
    assert_eq!(events.last().unwrap(), &json!(["message.denied", "message.late"]));
}

#[test]
fn a_task_that_is_over_in_time_is_left_alone() {
    let mut between = Between::with(&with_timeout(Duration::from_secs(4)));
    let begin = |between: &mut Between, id: u32| {
        between.passes_to_server(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"long","task":{{}}}}}}"#
        ));
        between.passes_to_client(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"task":{{"taskId":"t{id}","status":"working"}}}}}}"#
        ));
    };
    let about = |id: u32, method: &str, task: u32| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tasks/{method}","params":{{"taskId":"t{task}"}}}}"#)
    };
    begin(&mut between, 1);
    between.passes_to_server(&about(11, "result", 1));
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":11,"result":{"content":[]}}"#);
    begin(&mut between, 2);
    between.passes_to_server(&about(12, "get", 2));
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":12,"result":{"taskId":"t2","status":"failed"}}"#);
    begin(&mut between, 3);
    between.passes_to_client(
        r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t3","status":"completed"}}"#,
    );
    begin(&mut between, 4);
    between.passes_to_server(&about(14, "cancel", 4));
    // One more, whose time is over after all of theirs.
    begin(&mut between, 5);
    let cancel: Value = serde_json::from_str(&between.server_gets()).unwrap();
    assert_eq!(cancel["params"]["taskId"], "t5");
    let (_, to_server, _) = between.ends();
    assert_eq!(to_server, "");
}
