//! OCSF's objects, from the fields of an event.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::audit::export::fields::Fields;
use crate::audit::export::ocsf::VERSION;

pub(super) fn metadata(event: &Fields) -> Value {
    json!({
        "version": VERSION,
        "product": {"name": "caponier", "vendor_name": "caponier", "version": env!("CARGO_PKG_VERSION")},
        "profiles": ["host", "security_control"],
        "uid": event.id(),
        "correlation_uid": event.session(),
        "sequence": event.seq(),
        "event_code": event.event(),
        "log_name": "audit",
        "original_time": event.text("time").unwrap_or_default(),
    })
}

/// Everything, by the log's own names.
pub(super) fn unmapped(event: &Fields) -> Value {
    let mut own: Map<String, Value> =
        event.own().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    own.insert("server".into(), json!(event.server()));
    Value::Object(own)
}

/// Informational; what was refused is Medium, a secret or a way out of the pen High, what is usual Low.
pub(super) fn severity(event: &Fields) -> u8 {
    const GRAVE: &[&str] =
        &["fs.read.secret", "exec.shell", "unix.docker", "syscall.namespace", "syscall.foreign-process"];
    match (event.is_denied(), event.text("reason")) {
        _ if event.event() == "tool.mismatch" => 4,
        (true, Some("syscall.unsupported")) => 2,
        (true, Some(reason)) if GRAVE.contains(&reason) => 4,
        (true, _) => 3,
        _ if event.event() == "audit.lost" => 3,
        _ => 1,
    }
}

/// Success 1, Failure 2, Unknown 0.
pub(super) fn status(event: &Fields) -> u8 {
    match (event.text("result"), event.text("outcome")) {
        _ if event.is_denied() => 2,
        (Some("ok"), _) | (_, Some("ok")) => 1,
        (None, None) => 0,
        _ => 2,
    }
}

/// One line for people.
pub(super) fn message(event: &Fields) -> String {
    let what = event.text("access").unwrap_or(event.event());
    let verb = if event.is_denied() { "refused: " } else { "" };
    let target =
        ["path", "host", "address", "syscall", "tool", "name", "method", "command", "exe", "cause", "reason"];
    let target = target.iter().find_map(|name| event.text(name)).unwrap_or_default();
    format!("{verb}{what} {target}").trim_end().to_owned()
}

pub(super) fn device(name: &str) -> Value {
    json!({"type_id": 0, "hostname": name})
}

/// A file; the last part of the path is its name.
pub(super) fn file(path: &str, type_id: u8) -> Value {
    let name = path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path);
    json!({"name": name, "path": path, "type_id": type_id})
}

/// The process that acted; without a number, the server as a whole.
pub(super) fn process(event: &Fields) -> Value {
    match (event.number("pid"), event.text("exe")) {
        (Some(pid), Some(exe)) if !exe.is_empty() => json!({"pid": pid, "file": file(exe, 1)}),
        (Some(pid), _) => json!({"pid": pid}),
        (None, _) => json!({"uid": event.session(), "name": event.server()}),
    }
}

pub(super) fn actor(event: &Fields) -> Value {
    json!({"process": process(event), "app_name": event.server()})
}

/// Where a connection went, or would have gone.
pub(super) fn endpoint(event: &Fields) -> Value {
    let mut endpoint = Map::new();
    let address = event.text("address").unwrap_or_default();
    if address.parse::<IpAddr>().is_ok() {
        endpoint.insert("ip".into(), json!(address));
    } else if !address.is_empty() {
        endpoint.insert("name".into(), json!(address));
    }
    if let Some(host) = event.text("host").filter(|host| !host.is_empty()) {
        endpoint.insert("hostname".into(), json!(host));
    }
    if let Some(path) = event.text("path") {
        endpoint.insert("name".into(), json!(path));
    }
    if let Some(port) = event.number("port").filter(|port| (1..=65_535).contains(port)) {
        endpoint.insert("port".into(), json!(port));
    }
    if !["ip", "name", "hostname"].iter().any(|name| endpoint.contains_key(*name)) {
        endpoint.insert("name".into(), json!("unknown"));
    }
    Value::Object(endpoint)
}

/// What a server was asked.
pub(super) fn api(event: &Fields) -> Value {
    let operation = event.text("tool").or(event.text("method")).unwrap_or("unknown");
    let mut api = json!({"operation": operation, "service": {"name": event.server()}});
    // The id as it stands in the message: 7 and "7" are two ids.
    if let Some(id) = event.get("id") {
        api["request"] = json!({"uid": id.to_string()});
    }
    if let Some(code) = event.get("error_code").and_then(Value::as_i64) {
        api["response"] = json!({"code": code, "error": event.text("outcome").unwrap_or_default()});
    }
    api
}
