//! Each format from a log that was written for it.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::audit::query::filter::Filter;
use crate::audit::sample::{allowed, call_end, call_start, denied, lost, session, settings};
use crate::audit::writer::Writer;
use crate::event::Sink;

fn exported(dir: &Path, format: Box<dyn Format>) -> String {
    let mut out = Vec::new();
    let mut export = Export::new(format, &mut out).unwrap();
    crate::audit::query::scan(dir, &Filter::default(), &mut export).unwrap();
    export.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn log() -> (tempfile::TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let events = [
        allowed("/before"),
        call_start(1, "=cmd|' /C calc'!A0"),
        allowed("/a\n\"b\""),
        denied("/c"),
        call_end(1, "t"),
        lost(2),
    ];
    session(&settings, &events);
    (root, settings.dir)
}

#[test]
fn every_event_is_one_ocsf_object_and_a_refusal_is_a_finding_too() {
    let (_root, dir) = log();
    let told = lines(&exported(&dir, Box::new(ocsf::Ocsf::new("host".into()))));
    let classes: Vec<u64> = told.iter().map(|object| object["class_uid"].as_u64().unwrap()).collect();
    assert_eq!(classes, [1001, 6003, 1001, 1001, 2004, 6003, 0, 6002]);
    for object in &told {
        let type_uid = object["class_uid"].as_u64().unwrap() * 100 + object["activity_id"].as_u64().unwrap();
        assert_eq!(object["type_uid"], type_uid);
        assert_eq!(object["metadata"]["version"], ocsf::VERSION);
    }
    assert_eq!((&told[3]["action_id"], &told[3]["disposition_id"]), (&Value::from(2), &Value::from(2)));
    assert_eq!(told[4]["finding_info"]["related_events"][0]["uid"], told[3]["metadata"]["uid"]);
    assert_eq!(told[3]["unmapped"]["remedy"], "filesystem.read = [\"/c\"]");
}

#[test]
fn a_session_is_a_trace_and_what_happened_in_a_call_is_in_its_span() {
    let (_root, dir) = log();
    let told = lines(&exported(&dir, Box::new(otlp::Otlp::default())));
    assert_eq!(told.len(), 1);
    let spans = told[0]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let [call, root] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(call["parentSpanId"], root["spanId"]);
    assert_eq!(call["traceId"], root["traceId"]);
    assert_eq!(call["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(call["events"].as_array().unwrap().len(), 2);
    assert_eq!(root["events"].as_array().unwrap().len(), 3);
    assert_eq!(call["status"]["code"], 1);
    let notices = root["attributes"].as_array().unwrap().iter().find(|one| one["key"] == "caponier.notices");
    assert!(notices.unwrap().to_string().contains("2 events were lost"));
}

#[test]
fn what_a_span_cannot_hold_is_counted_and_refusals_go_last() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let mut events = vec![call_start(1, "t")];
    events.extend((0..1500).map(|at| allowed(&format!("/{at}"))));
    events.push(denied("/last"));
    let writer = Writer::open(&settings).unwrap();
    events.iter().for_each(|event| assert!(writer.append(event).is_ok()));
    drop(writer);
    let told = lines(&exported(&settings.dir, Box::new(otlp::Otlp::default())));
    let call = &told[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    let (held, dropped) = (call["events"].as_array().unwrap(), call["droppedEventsCount"].as_u64().unwrap());
    assert_eq!(held.len() as u64 + dropped, 1501);
    assert!(dropped >= 500, "{dropped}");
    assert!(held.last().unwrap().to_string().contains("/last"), "{:?}", held.last());
    assert!(call.to_string().contains("no end in the log"));
}

#[test]
fn no_cell_is_a_formula_and_every_row_has_every_column() {
    let (_root, dir) = log();
    let text = exported(&dir, Box::new(csv::Csv));
    let head = text.lines().next().unwrap();
    assert_eq!(head.split(',').count(), csv::COLUMNS.len() + 1);
    assert!(text.contains("\"'=cmd|' /C calc'!A0\""), "{text}");
    assert!(text.contains("\"/a\n\"\"b\"\"\""), "{text}");
}
