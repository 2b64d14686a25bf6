//! Which class of OCSF's an event belongs to, and what that class must have.

use serde_json::{Map, Value, json};

use crate::audit::export::fields::Fields;
use crate::audit::export::ocsf::objects::{actor, api, endpoint, file, process};

/// File System Activity.
const FILE: u64 = 1001;
/// Kernel Activity.
const KERNEL: u64 = 1003;
/// Process Activity.
const PROCESS: u64 = 1007;
/// Detection Finding.
pub(super) const FINDING: u64 = 2004;
/// Network Activity.
const NETWORK: u64 = 4001;
/// DNS Activity.
const DNS: u64 = 4003;
/// Application Lifecycle.
const LIFECYCLE: u64 = 6002;
/// API Activity.
const API: u64 = 6003;
/// "Other", in every class.
const OTHER: u64 = 99;

type Object = Map<String, Value>;

fn class<const N: usize>(class: u64, activity: u64, members: [(&str, Value); N]) -> Object {
    let mut object = Object::new();
    object.insert("class_uid".into(), json!(class));
    object.insert("category_uid".into(), json!(class / 1000));
    object.insert("activity_id".into(), json!(activity));
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    object
}

fn named(mut object: Object, activity: &str) -> Object {
    object.insert("activity_name".into(), json!(activity));
    object
}

/// The activity that an event tells of.
pub(super) fn activity(event: &Fields, device: &str) -> Object {
    match event.event() {
        "file.access" => access(event),
        "process.start" => start(event),
        "process.exit" => exit(event),
        "syscall.denied" => {
            let name = event.text("syscall").unwrap_or("unknown");
            let kernel = json!({"name": name, "type_id": 2, "system_call": name});
            class(KERNEL, 4, [("actor", actor(event)), ("kernel", kernel)])
        }
        "network.connect" | "socket.unix" => connection(event),
        "network.close" => close(event),
        "network.resolve" => {
            let host = event.text("host").unwrap_or("unknown");
            let query = json!({"hostname": host, "type": event.text("query").unwrap_or("A")});
            let resolver = json!({"name": "caponier", "svc_name": "dns"});
            class(DNS, 1, [("actor", actor(event)), ("query", query), ("dst_endpoint", resolver)])
        }
        "call.start" | "call.end" | "message.denied" | "confirm.asked" | "confirm.answered" => {
            let source = json!({"hostname": device, "svc_name": "MCP client"});
            let members =
                [("actor", json!({"app_name": "MCP client"})), ("api", api(event)), ("src_endpoint", source)];
            named(class(API, OTHER, members), event.event())
        }
        "session.start" => lifecycle(event, 3),
        "session.end" => lifecycle(event, 4),
        "session.exe" => named(lifecycle(event, OTHER), event.event()),
        // Base Event: the class of what has none.
        other => named(class(0, OTHER, []), other),
    }
}

fn access(event: &Fields) -> Object {
    let path = event.text("path").unwrap_or("unknown");
    let (activity, kind) = match event.text("access").unwrap_or_default() {
        "execute" => return execution(event, path),
        "read" => (2, 0),
        "list" => (2, 2),
        "write" | "truncate" => (3, 0),
        "create" | "link" => (1, 0),
        "delete" => (4, 0),
        "rename" => (5, 0),
        "metadata" => (6, 0),
        _ => (0, 0),
    };
    class(FILE, activity, [("actor", actor(event)), ("file", file(path, kind))])
}

/// A program that was to be executed: in the process that asked.
fn execution(event: &Fields, path: &str) -> Object {
    let mut launched = process(event);
    launched["file"] = file(path, 1);
    class(PROCESS, 1, [("actor", actor(event)), ("process", launched)])
}

fn start(event: &Fields) -> Object {
    let mut launched = process(event);
    if let Some(parent) = event.number("ppid") {
        launched["parent_process"] = json!({"pid": parent});
    }
    if let Some(words) = event.get("argv").and_then(Value::as_array) {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        launched["cmd_line"] = json!(words.join(" "));
    }
    class(PROCESS, 1, [("actor", actor(event)), ("process", launched)])
}

fn exit(event: &Fields) -> Object {
    let mut object = class(PROCESS, 2, [("actor", actor(event)), ("process", process(event))]);
    let code = event.get("status").and_then(|status| status.get("exit")).and_then(Value::as_i64);
    if let Some(code) = code {
        object.insert("exit_code".into(), json!(code));
    }
    object
}

/// Open, Fail, Refuse.
fn connection(event: &Fields) -> Object {
    let worked = event.text("result").is_none_or(|result| result == "ok");
    let activity = match (event.is_denied(), worked) {
        (true, _) => 5,
        (false, true) => 1,
        (false, false) => 4,
    };
    let mut object = class(NETWORK, activity, [("actor", actor(event)), ("dst_endpoint", endpoint(event))]);
    if event.event() == "socket.unix" {
        object.insert("connection_info".into(), json!({"direction_id": 2, "protocol_name": "unix"}));
    }
    object
}

fn close(event: &Fields) -> Object {
    let mut traffic = Map::new();
    for (name, of) in [("bytes_out", "bytes_up"), ("bytes_in", "bytes_down")] {
        if let Some(bytes) = event.number(of) {
            traffic.insert(name.into(), json!(bytes));
        }
    }
    let mut object = class(NETWORK, 2, [("actor", actor(event)), ("dst_endpoint", endpoint(event))]);
    object.insert("traffic".into(), Value::Object(traffic));
    object
}

fn lifecycle(event: &Fields, activity: u64) -> Object {
    let app = json!({"name": event.server(), "uid": event.session()});
    let client = event.text("client").unwrap_or("MCP client");
    class(LIFECYCLE, activity, [("app", app), ("actor", json!({"app_name": client}))])
}

/// The finding that a refusal is.
pub(super) fn finding(event: &Fields, device: &str) -> Object {
    let reason = event.text("reason").unwrap_or(event.event());
    let analytic = json!({"type_id": 1, "uid": reason, "name": reason});
    let info = json!({
        "uid": format!("{}:finding", event.id()),
        "title": format!("{}: {reason}", event.server()),
        "analytic": analytic,
        "related_events": [{"uid": event.id()}],
    });
    let mut evidence = json!({"device": {"type_id": 0, "hostname": device}, "process": process(event)});
    match event.event() {
        "file.access" => evidence["file"] = file(event.text("path").unwrap_or("unknown"), 0),
        "network.connect" | "socket.unix" => evidence["dst_endpoint"] = endpoint(event),
        "message.denied" => evidence["api"] = api(event),
        _ => {}
    }
    class(FINDING, 1, [("finding_info", info), ("evidences", json!([evidence])), ("status_id", json!(1))])
}
