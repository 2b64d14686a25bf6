//! Messages that two readers take for different ones, in front of the real memory server.
//!
//! Each tries to have `delete_entities` called, which the profile denies. Bare, the server does it for the first of them;
//! behind caponier none reaches it, each is answered, and the session goes on.

use serde_json::{Value, json};

use crate::session::{Server, Session, Stage, reason};

const DENY: &str = "[tools]\ndeny = [\"delete_*\"]";

/// One after the other, with the reason and the code of the error that answers it; 0 for a result.
fn attacks() -> Vec<(String, &'static str, i64)> {
    let call =
        |inside: &str| format!(r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{{{inside}}}}}"#);
    let target = r#""arguments":{"entityNames":["wall"]}"#;
    let denied = |name: &str| call(&format!(r#""name":"{name}",{target}"#));
    let params = format!(r#""params":{{"name":"delete_entities",{target}}}"#);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let ambiguous = |line: String| (line, "message.ambiguous", -32600);
    let malformed = |line: String, code: i64| (line, "message.malformed", code);
    vec![
        ambiguous(call(&format!(r#""name":"read_graph","name":"delete_entities",{target}"#))),
        ambiguous(call(&format!(r#""name":"read_graph","n\u0061me":"delete_entities",{target}"#))),
        ambiguous(call(&format!(r#""name":"read_graph","Name":"delete_entities",{target}"#))),
        ambiguous(call(&format!(r#""name":"read_graph","\u004eame":"delete_entities",{target}"#))),
        ambiguous(call(&format!(r#""Name":"delete_entities",{target}"#))),
        ambiguous(call(r#""name":"search_nodes","arguments":{"query":"a","query":"b"}"#)),
        ambiguous(call(r#""name":"search_nodes","arguments":{"query":"a","Query":"b"}"#)),
        ambiguous(call(r#""name":"search_nodes","arguments":{"query":"a"},"arguments":{"query":"b"}"#)),
        ambiguous(call(r#""name":"search_nodes","arguments":{"x":[{"a":1,"a":2}]}"#)),
        ambiguous(call(r#""name":"read_graph","_meta":{"a":1,"a":2}"#)),
        ambiguous(format!(r#"{{"jsonrpc":"2.0","id":9,"method":"ping","method":"tools/call",{params}}}"#)),
        ambiguous(format!(r#"{{"jsonrpc":"2.0","id":9,"method":"ping","Method":"tools/call",{params}}}"#)),
        ambiguous(format!(r#"{{"jsonrpc":"2.0","id":9,"id":10,"method":"tools/call",{params}}}"#)),
        ambiguous(format!(r#"{{"jsonrpc":"2.0","jsonrpc":"2.0","id":9,"method":"tools/call",{params}}}"#)),
        ambiguous(format!(r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{{}},{params}}}"#)),
        ambiguous(format!(r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call",{params},"Params":{{}}}}"#)),
        ambiguous(denied(r"delete_entities\ud800")),
        // One meaning, in odd spellings: judged as what it is.
        (denied("delete_entities"), "tool.denied", 0),
        (denied(r"delet\u0065_entities"), "tool.denied", 0),
        (denied("delete_entities").replace("tools/call", r"tools\/call"), "tool.denied", 0),
        (denied("delete_entities").replace("tools/call", r"tools\u002fcall"), "tool.denied", 0),
        (denied("delete_entities").replace("\"id\":9", "\"id\":-0"), "tool.denied", 0),
        (denied("delete_entities").replace("\"id\":9", "\"id\":0"), "tool.denied", 0),
        (denied("delete_entities").replace("\"id\":9", "\"id\":\"0\""), "tool.denied", 0),
        // No request at all.
        ambiguous(denied("delete_entities").replace("\"id\":9", "\"id\":null")),
        ambiguous(denied("delete_entities").replace("\"id\":9", "\"id\":1e400")),
        malformed(denied("delete_entities").replace("\"id\":9", "\"id\":[9]"), -32600),
        malformed(denied("delete_entities").replace("\"2.0\"", "\"1.0\""), -32600),
        malformed(r#"["2.0",9,"tools/call",{"name":"delete_entities"}]"#.into(), -32600),
        malformed(
            r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":["delete_entities",{}]}"#.into(),
            -32600,
        ),
        malformed(call(r#""name":"delete_entities","arguments":["wall"]"#), -32600),
        malformed(call(r#""name":["delete_entities"],"arguments":{}"#), -32600),
        malformed(call(r#""arguments":{}"#), -32600),
        ambiguous(format!("{}{}", denied("delete_entities"), denied("delete_entities"))),
        ambiguous(format!("{} x", denied("delete_entities"))),
        malformed(denied("delete_entities").replace('}', ""), -32700),
        (format!("\u{feff}{}", denied("delete_entities")), "message.ambiguous", -32600),
        (format!("[{}]", denied("delete_entities")), "message.batch", -32600),
        (call(&format!(r#""name":"read_graph","arguments":{deep}"#)), "message.too-deep", -32600),
    ]
}

/// Whether the entity is still remembered.
fn is_there(session: &mut Session) -> bool {
    let graph = session.call("read_graph", &json!({}));
    graph["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{graph}")).contains("\"wall\"")
}

fn remember(session: &mut Session) {
    let wall = json!({"entities": [{"name": "wall", "entityType": "work", "observations": []}]});
    let made = session.call("create_entities", &wall);
    assert!(made["result"]["isError"] != true, "{made}");
    assert!(is_there(session));
}

#[test]
fn what_can_be_read_in_two_ways_reaches_nobody() {
    let stage = Stage::set();
    let mut bare = stage.bare(Server::Memory);
    remember(&mut bare);
    // The last of two names counts for this server; for a reader that takes the first it was `read_graph`.
    bare.tell_raw(&attacks()[0].0);
    bare.hears_json();
    assert!(!is_there(&mut bare), "the attack has to work without the pen");
    bare.end();

    let mut penned = stage.penned(Server::Memory, DENY);
    remember(&mut penned);
    let attacks = attacks();
    for (line, expected, code) in &attacks {
        let told = &line[..line.len().min(200)];
        penned.tell_raw(line);
        let answer = penned.hears_json();
        assert_eq!(reason(&answer), Some(*expected), "{told}: {answer}");
        match code {
            0 => assert_eq!(answer["result"]["isError"], true, "{told}: {answer}"),
            code => assert_eq!(answer["error"]["code"], *code, "{told}: {answer}"),
        }
        assert!(is_there(&mut penned), "{told}");
    }
    penned.end();
    let denied: Vec<Value> = stage.events("message.denied");
    let reasons: Vec<&str> = denied.iter().map(|event| event["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, attacks.iter().map(|(_, reason, _)| *reason).collect::<Vec<_>>());
}
