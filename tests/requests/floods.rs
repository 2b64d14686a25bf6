//! A server that sends more than anybody takes: 200 000 messages of each kind, and what is left of them in our memory.

use std::fs;

use serde_json::{Value, json};

use crate::session::{Session, Stage};

const MANY: u32 = 200_000;
/// What the process may have grown by, after all of them. Each is longer than 200 bytes: kept, they would be four times as much.
const GROWTH_KIB: u64 = 10 * 1024;

const SERVER: &str = r#"
import json, sys

def answer(id, result):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}) + "\n")
    sys.stdout.flush()

LINES = {
    "message": lambda n: {"method": "notifications/message", "params": {"level": "info", "data": "%s %d" % ("x" * 200, n)}},
    "progress": lambda n: {"method": "notifications/progress", "params": {"progressToken": "p%d" % n, "progress": n, "message": "x" * 200}},
    "cancelled": lambda n: {"method": "notifications/cancelled", "params": {"requestId": "q%d" % n, "reason": "x" * 200}},
    "tasks": lambda n: {"method": "notifications/tasks", "params": {"taskId": "t%d" % n, "status": "working", "x": "x" * 200}},
    "denied": lambda n: {"id": "d%d" % n, "method": "sampling/createMessage", "params": {"x": "x" * 200}},
    "asked": lambda n: {"id": "a%d" % n, "method": "elicitation/create", "params": {"message": "x" * 200}},
    "answers": lambda n: {"id": "n%d" % n, "result": {"x": "x" * 200}},
}
for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if method == "initialize":
        answer(id, {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
            "serverInfo": {"name": "flood", "version": "1"}})
    elif method == "tools/call":
        of, count = LINES[params["name"]], params["arguments"]["count"]
        for n in range(count):
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **of(n)}) + "\n")
        answer(id, {"content": []})
"#;

fn resident_kib(session: &Session) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", session.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn nothing_is_left_in_memory_of_200_000_messages_of_any_kind() {
    let stage = Stage::set();
    let mut session = stage.scripted(SERVER, "");
    let hello = json!({"protocolVersion": "2025-11-25", "clientInfo": {"name": "test", "version": "1"},
        "capabilities": {"sampling": {}, "elicitation": {}}});
    assert!(session.ask("initialize", &hello)["result"].is_object());
    let kinds = ["message", "progress", "cancelled", "tasks", "denied", "asked", "answers"];
    let send = |session: &mut Session, kind: &str, count: u32| {
        let answer: Value = session.call(kind, &json!({"count": count}));
        assert_eq!(answer["result"], json!({"content": []}), "{kind}");
    };
    // What is made once, and what is kept of the first ones, is there before it is measured.
    for kind in kinds {
        send(&mut session, kind, 5_000);
    }
    for kind in kinds {
        let before = resident_kib(&session);
        send(&mut session, kind, MANY);
        let after = resident_kib(&session);
        assert!(after < before + GROWTH_KIB, "{kind}: {before} KiB before, {after} KiB after {MANY}");
    }
    session.end();
    let lost: u64 = stage.events("audit.lost").iter().map(|event| event["count"].as_u64().unwrap()).sum();
    assert!(lost > u64::from(MANY), "what was dropped is counted: {lost}");
    let log: u64 = walk(&stage.at("audit"));
    assert!(log < 16 << 20, "a flood made a log of {log} bytes");
}

fn walk(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { fs::metadata(&path).unwrap().len() }).sum()
}
