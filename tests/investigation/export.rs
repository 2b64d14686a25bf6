//! Exports, read by programs that read such formats: of a real run, and of a log whose every text is hostile.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use caponier::audit::export::csv::Csv;
use caponier::audit::export::ocsf::Ocsf;
use caponier::audit::export::otlp::Otlp;
use caponier::audit::export::{Export, Format};
use caponier::audit::query::{Answer, Match};
use serde_json::{Value, json};

use crate::incident::Incident;
use crate::peers;
use crate::report::{HOSTILE, hostile, line, story};

/// What a reader makes of `export`.
fn read(kind: &str, export: &[u8]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export");
    fs::write(&file, export).unwrap();
    let python = peers::folder().join("python/readers/bin/python");
    let done = Command::new(python).arg(peers::driver("read.py")).arg(kind).arg(&file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// `events` in a format, without a log around them.
fn made(format: Box<dyn Format>, server: &str, events: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut export = Export::new(format, &mut out).unwrap();
    for (at, event) in events.iter().enumerate() {
        let line = line(at + 1, "01JDXZ0000000000000000000A", server, event);
        assert!(export.take(&Match { line: &line }).unwrap().is_continue());
    }
    export.finish().unwrap();
    out
}

/// The incident's log in a format, by the program.
fn exported(incident: &Incident, format: &str) -> Vec<u8> {
    let (told, status) =
        incident.shell(&format!("caponier audit export --format {format} 2>/dev/null"), &incident.home());
    assert_eq!(status, 0, "{told}");
    told.into_bytes()
}

/// Events that a run without a network does not have.
fn others() -> Vec<Value> {
    let by = json!({"pid": 7, "exe": "/usr/bin/node", "calls": [1], "attribution": "sole"});
    let of = |event: Value| {
        let mut event = event;
        event.as_object_mut().unwrap().extend(by.as_object().unwrap().clone());
        event
    };
    vec![
        of(
            json!({"event": "network.resolve", "host": "api.example", "query": "A", "addresses": ["192.0.2.1"],
            "verdict": "allow", "result": "ok", "count": 1}),
        ),
        of(
            json!({"event": "network.connect", "host": "api.example", "address": "192.0.2.1", "port": 443, "sni": "api.example",
            "verdict": "allow", "result": "ok", "count": 1}),
        ),
        of(
            json!({"event": "network.connect", "host": null, "address": "2001:db8::1", "port": 0, "verdict": "allow",
            "result": "ECONNREFUSED", "count": 1}),
        ),
        of(
            json!({"event": "network.close", "host": "api.example", "address": "192.0.2.1", "port": 443, "bytes_up": 10,
            "bytes_down": null, "duration_us": 1500, "cause": "closed"}),
        ),
        of(
            json!({"event": "socket.unix", "path": "@abstract", "verdict": "deny", "reason": "unix.not-listed", "layer": "broker",
            "result": "EACCES", "count": 1}),
        ),
        json!({"event": "process.exit", "pid": 7, "status": {"exit": 3}, "rusage": null}),
        json!({"event": "process.exit", "pid": 8, "status": {"signal": 9}, "rusage": null}),
        json!({"event": "confirm.asked", "call": 1, "channel": "terminal"}),
        json!({"event": "tool.mismatch", "tool": "t", "declared": "readOnlyHint", "did": "write"}),
        json!({"event": "call.end", "call": 9, "tool": "t", "outcome": "rpc_error", "error_code": -32601, "duration_us": 5}),
        json!({"event": "audit.lost", "reason": "cap", "count": 3}),
    ]
}

#[test]
fn a_real_incident_as_others_read_it() {
    let incident = Incident::record();
    let log = incident.events("");
    ocsf_has_what_the_published_classes_require(&incident, &log);
    otlp_is_what_opentelemetrys_own_messages_take(&incident);
    let csv = read("csv", &exported(&incident, "csv"));
    assert_eq!(csv["rows"].as_array().unwrap().len(), log.len());
}

fn ocsf_has_what_the_published_classes_require(incident: &Incident, log: &[Value]) {
    let real = read("ocsf", &exported(incident, "ocsf"));
    assert_eq!(real["errors"], json!([]));
    let classes: BTreeSet<&str> = real["classes"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["1001", "1003", "1007", "2004", "4001", "6002", "6003"];
    assert!(expected.iter().all(|class| classes.contains(class)), "{classes:?}");
    // Each line of the log is one object, and each refusal but the usual one a finding as well.
    let findings = real["classes"]["2004"].as_u64().unwrap();
    assert_eq!(real["lines"].as_u64().unwrap() - findings, log.len() as u64);
    let refused = |event: &&Value| {
        (event["verdict"] == "deny" || event["event"].as_str().unwrap().ends_with(".denied"))
            && event["reason"] != "syscall.unsupported"
    };
    assert_eq!(findings, log.iter().filter(refused).count() as u64);
}

fn otlp_is_what_opentelemetrys_own_messages_take(incident: &Incident) {
    let seen = read("otlp", &exported(incident, "otlp-json"));
    let spans = seen["spans"].as_array().unwrap();
    let roots: Vec<&Value> = spans.iter().filter(|span| span["parent"] == "").collect();
    let services: Vec<&str> = roots.iter().map(|root| root["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["notes", "git", "weather", "git", "notes"]);
    let ids: BTreeSet<&str> = spans.iter().map(|span| span["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), spans.len(), "an id twice");
    for span in spans {
        assert_eq!((span["trace"].as_str().unwrap().len(), span["id"].as_str().unwrap().len()), (32, 16));
        let root = roots.iter().find(|root| root["trace"] == span["trace"]).unwrap();
        assert!(span["parent"] == "" || span["parent"] == root["id"]);
        assert!(
            span["nanos"].as_u64().is_some() && span["start"].as_u64().unwrap() > 1_700_000_000_000_000_000
        );
    }
    let calls: Vec<&Value> =
        spans.iter().filter(|span| span["attributes"]["gen_ai.tool.name"] == "get_forecast").collect();
    assert_eq!(calls.len(), 3);
    // The client was told that all three went well; what the third did besides is inside it.
    assert!(calls.iter().all(|call| call["status"] == 1 && call["kind"] == 2));
    let reasons: Vec<&str> = calls[2]["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event[2]["caponier.reason"].as_str())
        .collect();
    assert!(reasons.contains(&"exec.shell"), "{reasons:?}");
    assert_eq!(reasons.iter().filter(|reason| **reason == "fs.read.secret").count(), 3, "{reasons:?}");
}

#[test]
fn ocsf_of_every_event_and_of_hostile_texts() {
    let events = [others(), hostile(), story()].concat();
    let seen = read("ocsf", &made(Box::new(Ocsf::new(HOSTILE[0].into())), HOSTILE[1], &events));
    assert_eq!(seen["errors"], json!([]));
    for expected in [
        json!([4003, 1, "network.resolve", 1]),
        json!([4001, 1, "network.connect", 1]),
        json!([4001, 4, "network.connect", 1]),
        json!([4001, 2, "network.close", 3]),
        json!([4001, 5, "socket.unix", 2]),
        json!([2004, 1, "socket.unix", 2]),
        json!([1007, 2, "process.exit", 3]),
        json!([2004, 1, "tool.mismatch", 3]),
        json!([0, 99, "audit.lost", 3]),
    ] {
        assert!(seen["activities"].as_array().unwrap().contains(&expected), "{expected}");
    }
}

/// The checker is no rubber stamp.
#[test]
fn ocsf_that_lacks_a_field_or_has_one_too_many_is_found() {
    let line = made(Box::new(Ocsf::new("host".into())), "s", &story()[1..2]);
    let whole: Value = serde_json::from_slice(&line).unwrap();
    for (change, complaint) in [
        (json!({"file": null}), "file"),
        (json!({"severity_id": 42}), "severity_id"),
        (json!({"made_up": 1}), "made_up"),
        (json!({"type_uid": 100_199}), "type_uid"),
    ] {
        let mut broken = whole.clone();
        broken.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        broken.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let seen = read("ocsf", broken.to_string().as_bytes());
        assert!(seen["errors"].to_string().contains(complaint), "{complaint}: {}", seen["errors"]);
    }
    assert_eq!(read("ocsf", &line)["errors"], json!([]));
}

#[test]
fn otlp_carries_hostile_texts_as_they_are() {
    let seen = read("otlp", &made(Box::new(Otlp::default()), HOSTILE[0], &hostile()));
    let spans = seen["spans"].as_array().unwrap();
    let tools: Vec<&str> =
        spans.iter().filter_map(|span| span["attributes"]["gen_ai.tool.name"].as_str()).collect();
    assert_eq!(tools, HOSTILE);
    assert!(spans.iter().all(|span| span["service"] == HOSTILE[0]));
}

#[test]
fn csv_is_read_back_and_no_cell_is_a_formula() {
    let mut events = [hostile(), others()].concat();
    let formulas = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "\u{ff1d}1",
        "=HYPERLINK(\"http://x\")",
        "a\"b\"\r\nc,d",
    ];
    events.extend(
        formulas
            .iter()
            .map(|text| json!({"event": "call.start", "call": 1, "tool": text, "method": text, "odd": text})),
    );
    // What two kinds of events have has no column, and is not lost.
    let prompt = json!({"event": "tool.defined", "kind": "prompt", "tool": null, "name": "walls", "sha256": "ab", "findings": []});
    events.insert(0, prompt);
    let seen = read("csv", &made(Box::new(Csv), "=server", &events));
    let header: Vec<&str> =
        seen["header"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let rows = seen["rows"].as_array().unwrap();
    assert_eq!(rows.len(), events.len());
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    for row in rows {
        let cells: Vec<&str> = row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
        assert_eq!(cells.len(), header.len());
        for cell in &cells {
            let is_number = cell.parse::<i64>().is_ok();
            assert!(
                is_number || !cell.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}']),
                "{cell:?}"
            );
            assert!(!cell.contains('\u{1b}'), "{cell:?}");
        }
        assert_eq!(cells[at("server")], "'=server");
    }
    assert_eq!(
        serde_json::from_str::<Value>(rows[0][at("more")].as_str().unwrap()).unwrap(),
        json!({"kind": "prompt", "name": "walls", "sha256": "ab", "findings": []})
    );
    for (row, text) in rows[events.len() - formulas.len()..].iter().zip(formulas) {
        let cell = row[at("tool")].as_str().unwrap();
        let is_text = text.starts_with('a');
        assert_eq!(cell, if is_text { text.to_owned() } else { format!("'{text}") });
        assert_eq!(
            serde_json::from_str::<Value>(row[at("more")].as_str().unwrap()).unwrap(),
            json!({"odd": text})
        );
    }
}
