//! Answers to `tools/list` on their way to the client, and the calls that they make possible.

use super::*;

fn asks_for_tools(between: &mut Between, id: u32, params: &str) {
    between.passes_to_server(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{params}}}"#
    ));
}

fn listed(id: u32, tools: &str, more: &str) -> String {
    format!(r#"{{ "result" : {{"tools":[{tools}]{more}}}, "id":{id} ,"jsonrpc":"2.0"}}"#)
}

const READ: &str =
    r#"{"name":"read","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}}}"#;
const WRITE: &str = r#"{"name":"write_file","inputSchema":{}}"#;

fn call_with(id: u32, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}

#[test]
fn a_list_loses_what_is_denied_and_keeps_every_other_byte() {
    let mut between = Between::new();
    asks_for_tools(&mut between, 1, "{}");
    between.server_sends(listed(1, &format!("{WRITE} , {READ}"), r#","nextCursor":"","ttlMs":7.0"#));
    assert_eq!(between.client_gets(), listed(1, READ, r#","nextCursor":"","ttlMs":7.0"#));
    // The second page: its cursor is the empty string. Nothing on it is hidden.
    asks_for_tools(&mut between, 2, r#"{"cursor":""}"#);
    between.passes_to_client(&listed(2, r#"{"name":"list","inputSchema":{"type":"object"}}"#, ""));
    between.client_sends(call_with(3, "erase", "{}"));
    let unknown = between.client_gets_json();
    assert_eq!((unknown["error"]["code"].as_i64(), &unknown["id"]), (Some(-32602), &json!(3)));
    assert_eq!(unknown["error"]["message"], "Unknown tool: erase");
    between.passes_to_server(&call_with(4, "list", "{}"));
    between.passes_to_server(PING);
    assert_eq!(between.ends().0, "");
}

#[test]
fn in_the_modern_era_what_was_filtered_is_not_kept() {
    let mut between = Between::new();
    let meta = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    asks_for_tools(&mut between, 1, meta);
    between.passes_to_client(&listed(1, READ, r#","ttlMs":60000"#));
    asks_for_tools(&mut between, 2, meta);
    between.server_sends(listed(2, &format!("{READ},{WRITE}"), r#","ttlMs":60000,"resultType":"complete""#));
    assert_eq!(between.client_gets(), listed(2, READ, r#","ttlMs":0,"resultType":"complete""#));
}

#[test]
fn no_list_gets_past_the_filter() {
    let mut between = Between::new();
    asks_for_tools(&mut between, 1, "{}");
    // Another request cannot take its place, and to take it back does not make its late answer anybody's.
    between.client_sends(r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#);
    assert_eq!(between.client_gets_json()["error"]["code"], -32600);
    between
        .passes_to_server(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    between.server_sends(listed(1, WRITE, ""));
    assert_eq!(between.client_gets(), listed(1, "", ""));
    // What some readers take for a list, and others not, reaches nobody.
    asks_for_tools(&mut between, 2, "{}");
    between.server_sends(format!(r#"{{"jsonrpc":"2.0","id":2,"result":{{"Tools":[{WRITE}]}}}}"#));
    let refused = between.client_gets_json();
    assert_eq!((&refused["id"], refused["error"]["code"].as_i64()), (&json!(2), Some(-32600)));
    // An id that reads like the one that was asked with is not the one.
    asks_for_tools(&mut between, 3, "{}");
    between.server_sends(listed(3, WRITE, "").replace(r#""id":3"#, r#""id":"3""#));
    between.server_sends(listed(3, READ, ""));
    assert_eq!(between.client_gets(), listed(3, READ, ""));
    let reasons = between.events(&["direction", "reason"]);
    assert_eq!(
        reasons,
        [
            json!(["message.denied", "client_to_server", "message.ambiguous"]),
            json!(["message.denied", "server_to_client", "message.malformed"]),
            json!(["message.denied", "server_to_client", "message.unasked"]),
        ]
    );
}

#[test]
fn arguments_are_checked_once_a_list_has_shown_the_tool() {
    let mut between = Between::new();
    let odd = call_with(1, "read", r#"{"path":"a","Extra":1}"#);
    between.passes_to_server(&odd);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    asks_for_tools(&mut between, 2, "{}");
    between.passes_to_client(&listed(2, READ, ""));
    between.client_sends(odd.replace(r#""id":1"#, r#""id":3"#));
    let refused = between.client_gets_json();
    assert_eq!((&refused["id"], &refused["result"]["isError"]), (&json!(3), &json!(true)));
    between.passes_to_server(&call_with(4, "read", r#"{"path":"a"}"#));
    between.passes_to_server(&call_with(5, "read", "null"));
    let starts: Vec<Value> = between.events(&["call", "unlisted", "reason"]);
    assert_eq!(
        starts,
        [
            json!(["call.start", 1, true]),
            json!(["call.end", 1]),
            json!(["call.start", 2]),
            json!(["message.denied", "args.unknown-field"]),
            json!(["call.end", 2, "args.unknown-field"]),
            json!(["call.start", 3]),
            json!(["call.start", 4]),
        ]
    );
}

#[test]
fn a_list_in_a_batch_is_filtered_too() {
    let mut between = Between::new();
    between.passes_to_server(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
    between.passes_to_client(r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-03-26"}}"#);
    let asked =
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    between.passes_to_server(asked);
    let pong = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
    between.server_sends(format!("[{}, {pong}]", listed(1, &format!("{WRITE},{READ}"), "")));
    assert_eq!(between.client_gets(), format!("[{},{pong}]", listed(1, READ, "")));
}

#[test]
fn a_tool_that_two_readers_could_take_for_another_is_told_of_and_not_shown() {
    let mut between = Between::new();
    asks_for_tools(&mut between, 1, "{}");
    between.server_sends(listed(1, &format!(r#"{READ},{{"name":"get"}},{{"name":"Get"}}"#), ""));
    assert_eq!(between.client_gets(), listed(1, READ, ""));
    between.client_sends(call_with(2, "Get", "{}"));
    assert_eq!(between.client_gets_json()["error"]["message"], "Unknown tool: Get");
    let told = between.events(&["tool", "reason"]);
    assert_eq!(told[0], json!(["message.denied", "get", "tool.ambiguous"]));
    assert_eq!(told[1], json!(["message.denied", "Get", "tool.ambiguous"]));
    let mut said = String::new();
    between.our_stderr.as_mut().unwrap().read_line(&mut said).unwrap();
    assert!(said.contains("the tool \"get\" is not shown to the client"), "{said}");
}
